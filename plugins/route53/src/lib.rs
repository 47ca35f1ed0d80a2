//! The `route53` DNS-01 provider.
