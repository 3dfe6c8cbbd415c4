//! Keys in PEM.

use boltworks_crypto::{RsaHash, RsaPrivateKey, RsaPublicKey};

use crate::taken;

/// A private or a public key: both ways, and used once.
pub fn pem(data: &[u8]) {
    if let Ok(key) = RsaPublicKey::from_pem(data) {
        check_public(&key);
    }
    if let Ok(key) = RsaPrivateKey::from_pem(data) {
        let pem = key.to_pem().expect("what was read can be written");
        let again = RsaPrivateKey::from_pem(pem.expose().as_bytes());
        let again = again.expect("what was written can be read");
        assert_eq!(
            again.to_pem().expect("written before").expose(),
            pem.expose()
        );
        assert!(!format!("{key:?}").contains("KEY"), "a secret is shown");
        check_public(&key.public());
        if let Ok(signature) = key.sign(RsaHash::Sha256, b"message") {
            let verified = again
                .public()
                .verify(RsaHash::Sha256, b"message", &signature);
            assert!(verified.is_ok(), "the key's own signature does not verify");
        }
    }
}

fn check_public(key: &RsaPublicKey) {
    taken();
    let pem = key.to_pem().expect("what was read can be written");
    let again = RsaPublicKey::from_pem(pem.as_bytes()).expect("what was written can be read");
    assert_eq!(again.to_pem().expect("written before"), pem);
    assert!(
        key.verify(RsaHash::Sha256, b"message", &[1; 256]).is_err(),
        "anything verifies"
    );
}
