//! Randomness, for ids and nonces.

/// Random bytes, fit for cryptography.
pub fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    #[cfg(target_family = "wasm")]
    {
        let bytes = crate::bindings::wasi::random::random::get_random_bytes(LENGTH as u64);
        bytes.try_into().expect("the host gives as many bytes as it is asked for")
    }
    // For tests only, where nothing depends on it.
    #[cfg(not(target_family = "wasm"))]
    {
        use std::hash::{BuildHasher as _, Hasher as _};
        std::array::from_fn(|_| {
            let hash = std::collections::hash_map::RandomState::new().build_hasher().finish();
            hash.to_le_bytes()[0]
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_does_not_repeat() {
        assert_ne!(super::bytes::<16>(), super::bytes::<16>());
    }
}
