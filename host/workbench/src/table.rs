//! Columns of text, as wide as they need to be.

use std::fmt;

/// A table; the first row is its head.
#[derive(Debug)]
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    /// How many columns stand to the left.
    words: usize,
}

impl<const N: usize> Table<N> {
    /// With a head; the first `words` columns stand to the left, numbers to the right.
    #[must_use]
    pub fn new(head: [&str; N], words: usize) -> Self {
        Self { rows: vec![head.map(str::to_owned)], words }
    }

    /// One row more.
    pub fn add(&mut self, row: [String; N]) {
        self.rows.push(row);
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        for row in &self.rows {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = width(column);
                let gap = if column == 0 { "" } else { "  " };
                line +=
                    &if column < self.words { format!("{gap}{cell:<width$}") } else { format!("{gap}{cell:>width$}") };
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["A", "B", "N"], 2);
        table.add(["long".to_owned(), "x".to_owned(), "100".to_owned()]);
        assert_eq!(table.to_string(), "A     B    N\nlong  x  100\n");
    }
}
