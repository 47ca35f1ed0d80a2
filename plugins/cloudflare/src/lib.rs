//! The `cloudflare` DNS-01 provider.
