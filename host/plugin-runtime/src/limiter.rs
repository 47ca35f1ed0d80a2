//! Sums what the memories and tables of one store hold. The limiter that comes with the engine compares each memory
//! alone, so a component with several would get several times the limit.

use wasmtime::{Error, ResourceLimiter, Result};

/// More than any language's tool chain makes of one provider (Python: some thirty), few enough for the pool.
const MAX_INSTANCES: usize = 128;
const MAX_TABLES: usize = 32;
const MAX_MEMORIES: usize = 8;
/// Interpreters put every function of theirs into a table; the table of CPython has some 13 000 elements.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// The memory account of one store.
pub(crate) struct Limiter {
    limit: usize,
    used: usize,
    /// The largest sum ever granted, in bytes.
    pub(crate) peak: usize,
    /// Whether a growth was refused: what follows in the guest is a consequence of it.
    pub(crate) refused: bool,
    /// The same for tables, whose bound is fixed.
    pub(crate) refused_table: bool,
    table_elements: usize,
}

impl Limiter {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0, peak: 0, refused: false, refused_table: false, table_elements: 0 }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if used > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        self.peak = self.peak.max(used);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: Error) -> Result<()> {
        // What was added above stays: giving it back could be repeated until the account is wrong.
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let elements = self.table_elements.saturating_add(desired.saturating_sub(current));
        if elements > MAX_TABLE_ELEMENTS {
            self.refused_table = true;
            return Ok(false);
        }
        self.table_elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES
    }

    fn tables(&self) -> usize {
        MAX_TABLES
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_share_one_account() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).expect("no error"));
        assert!(!limiter.memory_growing(0, 60, None).expect("no error"), "the second memory counts as well");
        assert!(limiter.refused);
        assert!(limiter.memory_growing(60, 100, None).expect("no error"));
        assert_eq!(limiter.peak, 100);
        assert!(!limiter.memory_growing(0, usize::MAX, None).expect("no overflow"));
    }

    #[test]
    fn growth_beyond_the_types_own_maximum_is_not_ours_to_report() {
        let mut limiter = Limiter::new(100);
        assert!(!limiter.memory_growing(0, 60, Some(50)).expect("no error"));
        assert!(!limiter.refused);
    }
}
