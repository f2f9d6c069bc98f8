//! A credential for what somebody achieved: Open Badges 3.0 as a JSON Web Token that anybody can check offline.
//!
//! # Theory of operation
//! The payload is the credential itself, its members at the top (Open Badges 3.0, section 8.2.4), signed with Ed25519
//! (`EdDSA`, RFC 8037). The issuer is its own key: `did:jwk:` and the key in base64url, which also stands in the token's
//! header. Whoever holds the public key that the issuer published beside its own checks a token with any JWT library and
//! asks nobody.
//!
//! The private key is a JWK (RFC 8037, section 2) in a file that its owner alone can read; [`IssuerKey::draw`] makes one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use record::{RunManifest, StartTime, VirtualTime};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::flag::digest_of;
use super::{HOME, uuid};
use crate::score::Score;

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerKeyError {
    /// The operating system gave no random octets.
    #[error("this machine gives no random octets")]
    NoRandom,
    /// Not a private key of the right kind.
    #[error("this is no private Ed25519 key as a JWK: make one with `fieldrange key`")]
    NotAKey,
    /// Its public half is that of another key.
    #[error("the public half of this key belongs to another: restore the file, or make a new key")]
    Mismatch,
}

/// The key pair of somebody who gives badges.
pub struct IssuerKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

#[derive(Deserialize)]
struct PrivateJwk {
    kty: String,
    crv: String,
    x: String,
    d: String,
}

impl IssuerKey {
    /// A new key.
    pub fn draw() -> Result<Self, IssuerKeyError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| IssuerKeyError::NoRandom)?;
        Self::of(seed)
    }

    fn of(seed: [u8; 32]) -> Result<Self, IssuerKeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| IssuerKeyError::NotAKey)?;
        Ok(Self { pair, seed })
    }

    /// Reads a private key as [`IssuerKey::private_jwk`] wrote it.
    pub fn parse(text: &str) -> Result<Self, IssuerKeyError> {
        let jwk: PrivateJwk = serde_json::from_str(text).map_err(|_| IssuerKeyError::NotAKey)?;
        let seed = URL_SAFE_NO_PAD.decode(&jwk.d).ok().and_then(|octets| octets.try_into().ok());
        let key = Self::of(seed.ok_or(IssuerKeyError::NotAKey)?)?;
        if jwk.kty != "OKP" || jwk.crv != "Ed25519" {
            return Err(IssuerKeyError::NotAKey);
        }
        if jwk.x == key.x() { Ok(key) } else { Err(IssuerKeyError::Mismatch) }
    }

    fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The public half, for whoever checks badges.
    pub fn public_jwk(&self) -> Value {
        json!({ "crv": "Ed25519", "kty": "OKP", "x": self.x() })
    }

    /// Both halves. For the owner alone.
    pub fn private_jwk(&self) -> Value {
        json!({ "crv": "Ed25519", "d": URL_SAFE_NO_PAD.encode(self.seed), "kty": "OKP", "x": self.x() })
    }

    /// Who the holder of this key is (did:jwk method specification).
    pub fn issuer(&self) -> String {
        format!("did:jwk:{}", URL_SAFE_NO_PAD.encode(self.public_jwk().to_string()))
    }

    /// Signs a text: Ed25519 (RFC 8032), in base64url.
    pub fn sign_text(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes()))
    }

    /// A compact JWS over a payload (RFC 7515, section 7.1).
    fn sign(&self, payload: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "jwk": self.public_jwk(), "typ": "JWT" });
        let [header, payload] = [&header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// Whether the holder of a key signed a text. `jwk` is the public half, or both.
///
/// # Errors
/// The JWK is no Ed25519 key.
pub fn is_signed(jwk: &str, text: &str, signature: &str) -> Result<bool, IssuerKeyError> {
    let jwk: Value = serde_json::from_str(jwk).map_err(|_| IssuerKeyError::NotAKey)?;
    let x = jwk["x"].as_str().filter(|_| jwk["crv"] == "Ed25519").ok_or(IssuerKeyError::NotAKey)?;
    let x = URL_SAFE_NO_PAD.decode(x).map_err(|_| IssuerKeyError::NotAKey)?;
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return Ok(false) };
    Ok(UnparsedPublicKey::new(&ED25519, x).verify(text.as_bytes(), &signature).is_ok())
}

/// What a badge is given for.
#[derive(Clone, Copy, Debug)]
pub struct Award<'a> {
    /// Name of the issuer.
    pub issuer: &'a str,
    /// Who gets it.
    pub person: &'a str,
    /// Which run.
    pub manifest: &'a RunManifest,
    /// Title of its scenario.
    pub title: &'a str,
    /// What was reached.
    pub score: &'a Score,
    /// Part D that was asked for, 0 to 100.
    pub pass: f64,
    /// The day from which it holds: midnight, UTC.
    pub day: StartTime,
}

/// A signed badge; none where part D was not scored, or is below what was asked for.
pub fn badge(key: &IssuerKey, award: &Award<'_>) -> Option<String> {
    let reached = award.score.detect.filter(|reached| *reached >= award.pass)?;
    let Award { person, manifest, title, pass, .. } = award;
    let seed = manifest.seed.map_or_else(|| "unknown".to_owned(), |seed| seed.to_string());
    let from = award.day.utc(VirtualTime::ZERO);
    let issuer = key.issuer();
    let id = |what: &str| {
        format!("urn:uuid:{}", uuid(&["badge", what, &issuer, person, &manifest.scenario, &seed, &from]))
    };
    let subject = format!("urn:uuid:{}", uuid(&["badge", "person", &issuer, person]));
    let result = id("result");
    let sealed = digest_of(&json!(manifest.files).to_string());
    let payload = json!({
        "@context": ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"],
        "id": id("credential"),
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": format!("{title} (EXERCISE)"),
        "issuer": { "id": issuer, "type": ["Profile"], "name": award.issuer },
        "validFrom": from,
        "credentialSubject": {
            "id": subject,
            "type": ["AchievementSubject"],
            "identifier": [{ "type": "IdentityObject", "hashed": false, "identityHash": person, "identityType": "name" }],
            "achievement": {
                "id": format!("{HOME}/scenarios/{}", manifest.scenario),
                "type": ["Achievement"],
                "achievementType": "Badge",
                "name": title,
                "description": format!("Told attack, fault and authorised work apart in the simulated plant of the scenario {}. EXERCISE.", manifest.scenario),
                "criteria": { "narrative": format!("At least {pass:.0} of 100 points in part D (detection) of a sealed run, by the law of Fieldrange {}.", manifest.version) },
                "resultDescription": [{ "id": result, "type": ["ResultDescription"], "name": "Detection", "resultType": "Percent", "valueMin": "0", "valueMax": "100", "requiredValue": format!("{pass:.0}") }],
            },
            "result": [{ "type": ["Result"], "resultDescription": result, "value": format!("{reached:.1}") }],
        },
        "evidence": [{ "id": id("evidence"), "type": ["Evidence"], "name": format!("run of {}, seed {seed}", manifest.scenario),
            "narrative": format!("SHA-256 over the sealed hashes of its record: {sealed}") }],
        "iss": issuer,
        "jti": id("credential"),
        "nbf": award.day.unix_nanos(VirtualTime::ZERO) / 1_000_000_000,
        "sub": subject,
    });
    Some(key.sign(&payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendices A.1, A.2 and A.4: key, public key, and a signature made with it.
    #[test]
    fn a_text_is_signed_by_its_key_and_by_no_other() {
        // RFC 8032, section 7.1, test 1: the empty text.
        let rfc = IssuerKey::of([
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
            0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ])
        .unwrap();
        let signature = URL_SAFE_NO_PAD.decode(rfc.sign_text("")).unwrap();
        assert_eq!(signature[..8], [0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72]);
        let (public, line) = (rfc.public_jwk().to_string(), "ann  detection 78.2");
        assert_eq!(is_signed(&public, line, &rfc.sign_text(line)), Ok(true));
        assert_eq!(is_signed(&public, "ann  detection 98.2", &rfc.sign_text(line)), Ok(false));
        assert_eq!(is_signed(&public, line, "no signature"), Ok(false));
        let other = IssuerKey::of([7; 32]).unwrap().public_jwk().to_string();
        assert_eq!(is_signed(&other, line, &rfc.sign_text(line)), Ok(false));
        assert_eq!(is_signed("{}", line, ""), Err(IssuerKeyError::NotAKey));
    }

    #[test]
    fn keys_and_signatures_are_those_of_the_standard() {
        let jwk = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let key = IssuerKey::parse(jwk).unwrap();
        assert_eq!(key.public_jwk()["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        assert_eq!(
            URL_SAFE_NO_PAD.encode(key.pair.sign(input.as_bytes())),
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
        let other = jwk.replace("11qY", "11qZ");
        assert_eq!(IssuerKey::parse(&other).err(), Some(IssuerKeyError::Mismatch));
        assert_eq!(IssuerKey::parse("{}").err(), Some(IssuerKeyError::NotAKey));
    }

    #[test]
    fn a_new_key_can_be_kept_and_read_again() {
        let key = IssuerKey::draw().unwrap();
        let again = IssuerKey::parse(&key.private_jwk().to_string()).unwrap();
        assert_eq!(again.issuer(), key.issuer());
        assert!(!key.public_jwk().to_string().contains("\"d\""));
    }
}
