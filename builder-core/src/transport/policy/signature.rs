//! Simple signing: an OpenPGP-signed statement that a manifest digest belongs to a name (containers-signature(5)).
//! Everything here is fail-closed: what is not understood is no signature.

use std::io::{Cursor, Read};
use std::time::{SystemTime, UNIX_EPOCH};

use pgp::composed::{Deserializable, Message, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Timestamp, VerifyingKey};
use serde::Deserialize;

/// The largest statement that is read, bytes, however well it was compressed.
const MAX_STATEMENT: u64 = 1 << 20;

/// The type every statement has.
const KIND: &str = "atomic container signature";

/// What was signed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The digest of a manifest, as written.
    pub digest: String,
    /// The name the image is to have.
    pub name: String,
    /// The fingerprint of the key that signed, in hexadecimal digits.
    pub key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    critical: Critical,
    #[serde(default, rename = "optional")]
    _optional: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Critical {
    #[serde(rename = "type")]
    kind: String,
    image: Image,
    identity: Name,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    #[serde(rename = "docker-reference")]
    reference: String,
}

/// What `signature` says, if one of `keys` (files of public keys, armoured or not) has signed it. Else why not.
pub(crate) fn verify(signature: &[u8], keys: &[Vec<u8>]) -> Result<Claim, String> {
    let (statement, key) = open(signature, keys)?;
    let statement: Statement = serde_json::from_slice(&statement)
        .map_err(|_| "what was signed is no statement about an image".to_owned())?;
    if statement.critical.kind != KIND {
        return Err("what was signed is of another type than a container signature".to_owned());
    }
    let critical = statement.critical;
    Ok(Claim { digest: critical.image.digest, name: critical.identity.reference, key })
}

/// The content of a signed message, and the fingerprint of the key that has signed it.
fn open(signature: &[u8], keys: &[Vec<u8>]) -> Result<(Vec<u8>, String), String> {
    let odd = |_| "its signature is no OpenPGP message".to_owned();
    let mut message = Message::from_bytes(Cursor::new(signature.to_vec())).map_err(odd)?;
    if message.is_compressed() {
        message = message.decompress().map_err(odd)?;
    }
    if !message.is_signed() && !message.is_one_pass_signed() {
        return Err("its signature is a message that nobody has signed".to_owned());
    }
    let mut content = Vec::new();
    let read = message.by_ref().take(MAX_STATEMENT + 1).read_to_end(&mut content);
    read.map_err(|_| "its signature is damaged".to_owned())?;
    if content.len() as u64 > MAX_STATEMENT {
        return Err("what was signed is too large".to_owned());
    }
    let mut by = None;
    let mut why = "its signature is by none of the keys that the policy names";
    for file in keys {
        let (found, _) = SignedPublicKey::from_reader_many(Cursor::new(file.as_slice()))
            .map_err(|_| "the file of keys that the policy names has none".to_owned())?;
        for key in found {
            let key = key.map_err(|_| "the file of keys that the policy names is damaged".to_owned())?;
            if by.is_none() && signed_by(&message, &key) {
                by = Some(format!("{:X}", key.fingerprint()));
            }
            why = ended_since(&message, &key).unwrap_or(why);
        }
    }
    Ok((content, by.ok_or(why)?))
}

/// Whether a key, or a subkey of it that may sign, has signed the message, and both are good now.
fn signed_by(message: &Message<'_>, key: &SignedPublicKey) -> bool {
    if !key.details.revocation_signatures.is_empty() || key.verify_bindings().is_err() {
        return false;
    }
    let own = newest_of(key);
    if own.is_none_or(|own| ended(own, &key.primary_key)) {
        return false;
    }
    if own.is_some_and(|own| own.key_flags().sign()) && made(message, &key.primary_key) {
        return true;
    }
    key.public_subkeys.iter().any(|subkey| {
        let binding = newest(&subkey.signatures);
        let may = binding.is_some_and(|binding| binding.key_flags().sign() && !ended(binding, &subkey.key));
        !is_revoked(subkey) && may && made(message, &subkey.key)
    })
}

/// What became of a key that has made the signature, and counts no more.
fn ended_since(message: &Message<'_>, key: &SignedPublicKey) -> Option<&'static str> {
    let subkey = key.public_subkeys.iter().find(|subkey| made(message, &subkey.key));
    if subkey.is_none() && !made(message, &key.primary_key) {
        return None;
    }
    if !key.details.revocation_signatures.is_empty() || subkey.is_some_and(is_revoked) {
        return Some("the key that has made its signature was revoked");
    }
    let has_ended = newest_of(key).is_some_and(|own| ended(own, &key.primary_key));
    let binding = subkey.and_then(|subkey| Some((newest(&subkey.signatures)?, subkey)));
    (has_ended || binding.is_some_and(|(binding, subkey)| ended(binding, &subkey.key)))
        .then_some("the key that has made its signature has expired")
}

/// What the key says of itself that holds now.
fn newest_of(key: &SignedPublicKey) -> Option<&Signature> {
    let certifications = key.details.users.iter().flat_map(|user| &user.signatures);
    newest(certifications.chain(&key.details.direct_signatures))
}

fn is_revoked(subkey: &SignedPublicSubKey) -> bool {
    subkey.signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation))
}

/// Whether the key has made the signature over the message, in a form that counts, and it has not ended.
fn made(message: &Message<'_>, key: &(impl VerifyingKey + 'static)) -> bool {
    let Ok(signature) = message.verify(key) else { return false };
    let strong = !matches!(
        signature.hash_alg(),
        None | Some(
            HashAlgorithm::None | HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160
        )
    );
    let over_data = matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text));
    let (Some(created), now) = (signature.created(), now()) else { return false };
    let created = u64::from(created.as_secs());
    let life =
        signature.signature_expiration_time().map(|life| u64::from(life.as_secs())).filter(|life| *life > 0);
    strong && over_data && created <= now && life.is_none_or(|life| now < created + life)
}

/// The signature made last: it says what holds now.
fn newest<'a>(signatures: impl IntoIterator<Item = &'a Signature>) -> Option<&'a Signature> {
    signatures.into_iter().max_by_key(|signature| signature.created().map(Timestamp::as_secs))
}

/// Whether the life that `by` gives a key has ended.
fn ended(by: &Signature, key: &impl KeyDetails) -> bool {
    let life = by.key_expiration_time().map(|life| u64::from(life.as_secs())).filter(|life| *life > 0);
    life.is_some_and(|life| now() >= u64::from(key.created_at().as_secs()) + life)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}
