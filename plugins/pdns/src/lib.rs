//! The `pdns` DNS-01 provider.
