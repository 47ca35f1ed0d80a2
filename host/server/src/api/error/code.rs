//! The stable words for what went wrong, each with its status.

use axum::http::StatusCode;

/// What went wrong, for programs. A code keeps its meaning and its status for ever; new ones may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is explained by `meaning`, which the OpenAPI document shows")]
pub enum Code {
    InvalidRequest,
    InvalidJson,
    NoChallenge,
    UnknownDnsProvider,
    CaMalformed,
    Unauthorized,
    MissingScope,
    PathNotFound,
    CertificateNotFound,
    TokenNotFound,
    ChallengeNotFound,
    MethodNotAllowed,
    BodyTimeout,
    CertificateExists,
    ChangedMeanwhile,
    BodyTooLarge,
    CertificateBusy,
    Internal,
    IssuerUnusable,
    CaRefused,
    CaRateLimited,
    CaValidationFailed,
    CaUnreachable,
    CaBadAnswer,
    CaTimeout,
    CaOffersNoChallenge,
    CaOrderLost,
    CaWrongCertificate,
    PluginRefused,
    PluginFailed,
    PluginUnusable,
    HookRefused,
    HookFailed,
    HookUnusable,
    DnsNotVisible,
    DnsLookupFailed,
    DnsAliasUnusable,
    DnsZoneNotFound,
    DnsRecordBusy,
    StoreRefused,
    StoreCorrupt,
    StoreUnavailable,
    NotLeader,
    Starting,
    TooManyChallenges,
    Overloaded,
    StillRunning,
    RequestTimeout,
}

impl Code {
    /// All codes, in the order of their statuses.
    pub const ALL: [Self; 48] = [
        Self::InvalidRequest,
        Self::InvalidJson,
        Self::NoChallenge,
        Self::UnknownDnsProvider,
        Self::CaMalformed,
        Self::Unauthorized,
        Self::MissingScope,
        Self::PathNotFound,
        Self::CertificateNotFound,
        Self::TokenNotFound,
        Self::ChallengeNotFound,
        Self::MethodNotAllowed,
        Self::BodyTimeout,
        Self::CertificateExists,
        Self::ChangedMeanwhile,
        Self::BodyTooLarge,
        Self::CertificateBusy,
        Self::Internal,
        Self::IssuerUnusable,
        Self::CaRefused,
        Self::CaRateLimited,
        Self::CaValidationFailed,
        Self::CaUnreachable,
        Self::CaBadAnswer,
        Self::CaTimeout,
        Self::CaOffersNoChallenge,
        Self::CaOrderLost,
        Self::CaWrongCertificate,
        Self::PluginRefused,
        Self::PluginFailed,
        Self::PluginUnusable,
        Self::HookRefused,
        Self::HookFailed,
        Self::HookUnusable,
        Self::DnsNotVisible,
        Self::DnsLookupFailed,
        Self::DnsAliasUnusable,
        Self::DnsZoneNotFound,
        Self::DnsRecordBusy,
        Self::StoreRefused,
        Self::StoreCorrupt,
        Self::StoreUnavailable,
        Self::NotLeader,
        Self::Starting,
        Self::TooManyChallenges,
        Self::Overloaded,
        Self::StillRunning,
        Self::RequestTimeout,
    ];

    /// The status that the code is answered with. Failures of CAs, plugins and the DNS are 500, as in the existing
    /// system, whose clients repeat requests on that.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest
            | Self::InvalidJson
            | Self::NoChallenge
            | Self::UnknownDnsProvider
            | Self::CaMalformed => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::MissingScope => StatusCode::FORBIDDEN,
            Self::PathNotFound | Self::CertificateNotFound | Self::TokenNotFound | Self::ChallengeNotFound => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::CertificateExists | Self::ChangedMeanwhile => StatusCode::CONFLICT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::CertificateBusy => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal
            | Self::IssuerUnusable
            | Self::CaRefused
            | Self::CaRateLimited
            | Self::CaValidationFailed
            | Self::CaUnreachable
            | Self::CaBadAnswer
            | Self::CaTimeout
            | Self::CaOffersNoChallenge
            | Self::CaOrderLost
            | Self::CaWrongCertificate
            | Self::PluginRefused
            | Self::PluginFailed
            | Self::PluginUnusable
            | Self::HookRefused
            | Self::HookFailed
            | Self::HookUnusable
            | Self::DnsNotVisible
            | Self::DnsLookupFailed
            | Self::DnsAliasUnusable
            | Self::DnsZoneNotFound
            | Self::DnsRecordBusy
            | Self::StoreRefused
            | Self::StoreCorrupt => StatusCode::INTERNAL_SERVER_ERROR,
            Self::StoreUnavailable | Self::NotLeader | Self::Starting | Self::TooManyChallenges | Self::Overloaded => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::StillRunning | Self::RequestTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// When it is worth asking again, in seconds.
    #[must_use]
    pub fn retry_after_seconds(self) -> Option<u32> {
        match self {
            Self::Overloaded => Some(1),
            Self::CertificateBusy | Self::NotLeader | Self::Starting => Some(5),
            Self::StoreUnavailable | Self::TooManyChallenges => Some(30),
            _ => None,
        }
    }

    /// The code on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// What it means, in one line.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::InvalidRequest => ("invalid_request", "A field, path or query value is missing or wrong."),
            Self::InvalidJson => ("invalid_json", "The body is not the JSON object that is asked for."),
            Self::NoChallenge => ("no_challenge", "Neither the request nor the issuer names a challenge."),
            Self::UnknownDnsProvider => ("unknown_dns_provider", "No DNS provider of that name is configured."),
            Self::CaMalformed => ("ca_malformed", "The CA calls the request malformed."),
            Self::Unauthorized => ("unauthorized", "The credential is missing, unknown, wrong or expired."),
            Self::MissingScope => ("missing_scope", "The token does not give that right."),
            Self::PathNotFound => ("path_not_found", "There is nothing at the path."),
            Self::CertificateNotFound => ("certificate_not_found", "The owner has no such certificate."),
            Self::TokenNotFound => ("token_not_found", "There is no such token."),
            Self::ChallengeNotFound => ("challenge_not_found", "No HTTP-01 challenge with that token is open."),
            Self::MethodNotAllowed => ("method_not_allowed", "The path does not take the method."),
            Self::BodyTimeout => ("body_timeout", "The body did not arrive in time."),
            Self::CertificateExists => ("certificate_exists", "There is such a certificate already."),
            Self::ChangedMeanwhile => ("changed_meanwhile", "Somebody else changed it at the same time."),
            Self::BodyTooLarge => ("body_too_large", "The body is too large."),
            Self::CertificateBusy => ("certificate_busy", "Another operation on the certificate is under way."),
            Self::Internal => ("internal", "Something broke in the server; its log says what."),
            Self::IssuerUnusable => ("issuer_unusable", "The issuer is configured, but cannot be used."),
            Self::CaRefused => ("ca_refused", "The CA refused."),
            Self::CaRateLimited => ("ca_rate_limited", "The CA's rate limit is reached."),
            Self::CaValidationFailed => ("ca_validation_failed", "The CA could not validate a name."),
            Self::CaUnreachable => ("ca_unreachable", "The CA cannot be reached."),
            Self::CaBadAnswer => ("ca_bad_answer", "The CA's answer makes no sense."),
            Self::CaTimeout => ("ca_timeout", "The CA was not done in time."),
            Self::CaOffersNoChallenge => ("ca_offers_no_challenge", "The CA does not offer the wanted challenge."),
            Self::CaOrderLost => ("ca_order_lost", "The order ended at the CA without a certificate."),
            Self::CaWrongCertificate => ("ca_wrong_certificate", "The CA issued something else."),
            Self::PluginRefused => ("plugin_refused", "The DNS provider refused the change."),
            Self::PluginFailed => ("plugin_failed", "The DNS provider's plugin broke or hit a limit."),
            Self::PluginUnusable => ("plugin_unusable", "The DNS provider's plugin did not load."),
            Self::HookRefused => ("hook_refused", "An issuance hook does not allow the certificate."),
            Self::HookFailed => ("hook_failed", "An issuance hook gave no answer, so that nothing was ordered."),
            Self::HookUnusable => ("hook_unusable", "An issuance hook cannot be loaded, so that nothing is ordered."),
            Self::DnsNotVisible => ("dns_not_visible", "The challenge did not become visible in the DNS in time."),
            Self::DnsLookupFailed => ("dns_lookup_failed", "A DNS question was not answered."),
            Self::DnsAliasUnusable => ("dns_alias_unusable", "The CNAME records of the challenge lead nowhere."),
            Self::DnsZoneNotFound => ("dns_zone_not_found", "No DNS zone holds the name."),
            Self::DnsRecordBusy => ("dns_record_busy", "Another order used the challenge's record all the time."),
            Self::StoreRefused => ("store_refused", "The store refused the server; its log says why."),
            Self::StoreCorrupt => ("store_corrupt", "What is stored cannot be read; the server's log says why."),
            Self::StoreUnavailable => ("store_unavailable", "The store is not available."),
            Self::NotLeader => ("not_leader", "This node may not change anything."),
            Self::Starting => ("starting", "The server is still reading what is stored."),
            Self::TooManyChallenges => ("too_many_challenges", "Too many HTTP-01 challenges are open."),
            Self::Overloaded => ("overloaded", "Too many requests are being answered."),
            Self::StillRunning => ("still_running", "The issuance goes on; fetch the certificate later."),
            Self::RequestTimeout => ("request_timeout", "The request took too long."),
        }
    }
}
