//! Signatures of DNS messages under a shared key (RFC 8945).

use std::str::FromStr as _;

use acme_manager_plugin::auth::{hmac_sha1, hmac_sha224, hmac_sha256, hmac_sha384, hmac_sha512};
use acme_manager_plugin::{Error, ErrorKind, env, time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::{Header, Message, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::{TSIG, TsigAlgorithm, TsigError, message_tbs};
use hickory_proto::rr::{DNSClass, Name, RData, Record};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder, BinEncodable as _, BinEncoder};

use crate::unwritable;

/// How far the two clocks may be apart, in seconds; what RFC 8945 §10 recommends.
const FUDGE: u16 = 300;

pub(crate) struct TsigKey {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: Vec<u8>,
}

impl TsigKey {
    /// The key, if the environment has one.
    pub(crate) fn from_env() -> Result<Option<Self>, Error> {
        let (name, secret) = (env::optional("DNSUPDATE_TSIG_KEY"), env::optional("DNSUPDATE_TSIG_SECRET"));
        let (name, secret) = match (name, secret) {
            (Some(name), Some(secret)) => (name, secret),
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(Error::config("DNSUPDATE_TSIG_SECRET is not set, but DNSUPDATE_TSIG_KEY is"));
            }
            (None, Some(_)) => {
                return Err(Error::config("DNSUPDATE_TSIG_KEY is not set, but DNSUPDATE_TSIG_SECRET is"));
            }
        };
        // Names of keys are compared in lower case (RFC 8945 §4.3.3).
        let key_name = Name::from_str(&format!("{}.", name.to_ascii_lowercase().trim_end_matches('.')));
        let name = key_name.map_err(|error| Error::config(format!("DNSUPDATE_TSIG_KEY is no name: {error}")))?;
        let secret = STANDARD.decode(secret.as_bytes());
        let secret = secret.map_err(|_| Error::config("DNSUPDATE_TSIG_SECRET is not written in base64"))?;
        Ok(Some(Self { name, algorithm: algorithm()?, secret }))
    }

    /// The message with its signature, and the code in it, which the reply's covers.
    pub(crate) fn sign(&self, mut message: Message) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let id = message.metadata.id;
        let unsigned = TSIG::new(self.algorithm.clone(), time::now().unix(), FUDGE, Vec::new(), id, None, Vec::new());
        let covered = message_tbs(&message, &unsigned, &self.name).map_err(unwritable)?;
        let mac = self.code(&covered);
        let mut record = Record::from_rdata(self.name.clone(), 0, RData::TSIG(unsigned.set_mac(mac.clone())));
        record.dns_class = DNSClass::ANY;
        message.add_additional(record);
        Ok((message.to_vec().map_err(unwritable)?, mac))
    }

    /// Checks that the reply comes from somebody who has the key, and from nobody who dislikes ours.
    pub(crate) fn verify(&self, bytes: &[u8], message: &Message, mac: &[u8], server: &str) -> Result<(), Error> {
        let Some((signer, signature)) = signature(message) else {
            // Servers that do not know the key, or refuse before they look at it, sign nothing.
            return Err(match message.metadata.response_code {
                ResponseCode::NotAuth | ResponseCode::Refused => self.unknown(server, &message.metadata.response_code),
                code => Error::unavailable(format!("{server} answered {code} without a signature")),
            });
        };
        if let Some(error) = signature.error {
            return Err(self.unknown(server, &words(error)));
        }
        let covered = covered(bytes, message, (signer, signature), mac).map_err(unwritable)?;
        if *signer != self.name || signature.algorithm != self.algorithm {
            return Err(Error::unavailable(format!("{server} signed its answer with another key")));
        }
        if !same(&self.code(&covered), &signature.mac) {
            return Err(Error::unavailable(format!("the signature of the answer of {server} is wrong")));
        }
        let apart = signature.time.abs_diff(time::now().unix());
        if apart > u64::from(FUDGE) {
            return Err(Error::unavailable(format!("the clock of {server} is {apart} s away from ours")));
        }
        Ok(())
    }

    fn unknown(&self, server: &str, reason: &dyn std::fmt::Display) -> Error {
        let text = format!("{server} does not take the key {}: {reason}", self.name);
        Error::new(ErrorKind::Unauthorized, text)
    }

    fn code(&self, covered: &[u8]) -> Vec<u8> {
        match self.algorithm {
            TsigAlgorithm::HmacSha224 => hmac_sha224(&self.secret, covered).to_vec(),
            TsigAlgorithm::HmacSha256 => hmac_sha256(&self.secret, covered).to_vec(),
            TsigAlgorithm::HmacSha384 => hmac_sha384(&self.secret, covered).to_vec(),
            TsigAlgorithm::HmacSha512 => hmac_sha512(&self.secret, covered).to_vec(),
            _ => hmac_sha1(&self.secret, covered).to_vec(),
        }
    }
}

/// The signature is the last record of the message. Where the library keeps it depends on what else it is built with.
fn signature(message: &Message) -> Option<(&Name, &TSIG)> {
    if let Some(record) = &message.signature {
        return Some((&record.name, &record.data));
    }
    match message.additionals.last() {
        Some(Record { name, data: RData::TSIG(signature), .. }) => Some((name, signature)),
        _ => None,
    }
}

fn algorithm() -> Result<TsigAlgorithm, Error> {
    let text = env::optional_or("DNSUPDATE_TSIG_ALGORITHM", "hmac-sha1").to_ascii_lowercase();
    Ok(match text.trim_end_matches('.') {
        "hmac-sha1" => TsigAlgorithm::HmacSha1,
        "hmac-sha224" => TsigAlgorithm::HmacSha224,
        "hmac-sha256" => TsigAlgorithm::HmacSha256,
        "hmac-sha384" => TsigAlgorithm::HmacSha384,
        "hmac-sha512" => TsigAlgorithm::HmacSha512,
        "gss-tsig" => return Err(Error::config("DNSUPDATE_TSIG_ALGORITHM: gss-tsig (Kerberos) is not supported")),
        other => {
            let known = "hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384 or hmac-sha512";
            return Err(Error::config(format!("DNSUPDATE_TSIG_ALGORITHM must be {known}, not {other:?}")));
        }
    })
}

/// What the signature of a reply covers (RFC 8945 §5.3.1): the request's code, the reply up to its signature with the
/// count and the id as they were before it was signed, and the signature's own variables.
fn covered(
    bytes: &[u8],
    message: &Message,
    (signer, signature): (&Name, &TSIG),
    mac: &[u8],
) -> Result<Vec<u8>, hickory_proto::ProtoError> {
    let mut decoder = BinDecoder::new(bytes);
    let Header { mut metadata, mut counts } = Header::read(&mut decoder)?;
    let begin = decoder.index();
    for _ in 0..counts.queries {
        Query::read(&mut decoder)?;
    }
    counts.additionals = counts.additionals.saturating_sub(1);
    let records = usize::from(counts.answers) + usize::from(counts.authorities);
    Message::read_records(&mut decoder, records, false, message.metadata.op_code)?;
    Message::read_records(&mut decoder, counts.additionals.into(), true, message.metadata.op_code)?;
    let end = decoder.index();
    metadata.id = signature.oid;
    let mut covered = Vec::with_capacity(bytes.len() + mac.len());
    let mut encoder = BinEncoder::new(&mut covered);
    encoder.emit_u16(u16::try_from(mac.len()).unwrap_or(u16::MAX))?;
    encoder.emit_vec(mac)?;
    Header { metadata, counts }.emit(&mut encoder)?;
    encoder.emit_vec(bytes.get(begin..end).unwrap_or_default())?;
    signature.emit_tsig_for_mac(&mut encoder, signer)?;
    Ok(covered)
}

/// Without telling by the time where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn words(error: TsigError) -> String {
    match error {
        TsigError::BadSig => "the secret is another one (BADSIG)".to_owned(),
        TsigError::BadKey => "it does not know a key of that name and algorithm (BADKEY)".to_owned(),
        TsigError::BadTime => "the clocks are too far apart (BADTIME)".to_owned(),
        other => format!("{other:?}"),
    }
}
