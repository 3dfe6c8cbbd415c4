//! RSA against OpenSSL: keys and signatures in `keys/` were made with its command line, and are
//! of no other use.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use boltworks_crypto::{Error, Keyring, RsaHash, RsaPrivateKey, RsaPublicKey, Signer};

const PKCS1: &[u8] = include_bytes!("keys/pkcs1.pem");
const PKCS8: &[u8] = include_bytes!("keys/pkcs8.pem");
const SPKI: &[u8] = include_bytes!("keys/spki.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("keys/rsa-public.pem");
const MESSAGE: &[u8] = include_bytes!("keys/message");
const SIGNATURES: [(RsaHash, &[u8]); 3] = [
    (RsaHash::Sha1, include_bytes!("keys/sha1.sig")),
    (RsaHash::Sha256, include_bytes!("keys/sha256.sig")),
    (RsaHash::Sha512, include_bytes!("keys/sha512.sig")),
];

fn private() -> RsaPrivateKey {
    RsaPrivateKey::from_pem(PKCS8).unwrap()
}

#[test]
fn both_forms_are_the_same_key_and_are_written_as_openssl_writes_them() {
    for pem in [PKCS1, PKCS8] {
        let key = RsaPrivateKey::from_pem(pem).unwrap();
        assert_eq!(key.to_pem().unwrap().expose().as_bytes(), PKCS1);
        assert_eq!(key.public().to_pem().unwrap().as_bytes(), SPKI);
    }
    for pem in [SPKI, RSA_PUBLIC] {
        assert_eq!(
            RsaPublicKey::from_pem(pem)
                .unwrap()
                .to_pem()
                .unwrap()
                .as_bytes(),
            SPKI
        );
    }
}

#[test]
fn openssl_signatures_verify_and_ours_are_equal_to_them() {
    let key = private();
    for (hash, signature) in SIGNATURES {
        key.public().verify(hash, MESSAGE, signature).unwrap();
        match key.sign(hash, MESSAGE) {
            Ok(ours) => assert_eq!(ours, signature),
            Err(error) => {
                assert!(
                    hash == RsaHash::Sha1 && matches!(error, Error::LegacyHash),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn anything_else_does_not_verify() {
    let key = private();
    let signature = key.sign(RsaHash::Sha256, MESSAGE).unwrap();
    let refused = |hash, message: &[u8], signature: &[u8]| {
        let result = key.public().verify(hash, message, signature);
        assert!(matches!(result, Err(Error::BadSignature)), "{result:?}");
    };
    refused(RsaHash::Sha512, MESSAGE, &signature);
    refused(RsaHash::Sha256, b"another message", &signature);
    refused(RsaHash::Sha256, MESSAGE, &signature[1..]);
    refused(RsaHash::Sha256, MESSAGE, &[]);
    refused(RsaHash::Sha256, MESSAGE, &[&signature[..], &[0]].concat());
    let other = RsaPrivateKey::generate_short().unwrap();
    refused(
        RsaHash::Sha256,
        MESSAGE,
        &other.sign(RsaHash::Sha256, MESSAGE).unwrap(),
    );
}

#[test]
fn what_is_no_usable_key_is_refused_with_a_reason() {
    let reason = |pem: &[u8]| RsaPrivateKey::from_pem(pem).unwrap_err().to_string();
    assert!(reason(include_bytes!("keys/encrypted.pem")).contains("passphrase"));
    assert!(reason(include_bytes!("keys/ec.pem")).contains("accept the RSA key"));
    assert!(reason(include_bytes!("keys/short.pem")).contains("accept the RSA key"));
    assert!(reason(SPKI).contains("'PUBLIC KEY' as an RSA private key"));
    let public = RsaPublicKey::from_pem(PKCS8).unwrap_err().to_string();
    assert!(public.contains("'PRIVATE KEY' as an RSA public key"));
}

#[test]
fn a_private_key_is_not_printed() {
    let signer = Signer {
        name: "web.rsa.pub".into(),
        key: private(),
    };
    assert_eq!(
        format!("{signer:?}"),
        r#"Signer { name: "web.rsa.pub", key: RsaPrivateKey(redacted) }"#
    );
}

#[test]
fn a_keyring_knows_its_names_in_order() {
    let mut keyring = Keyring::new();
    assert!(keyring.is_empty());
    for name in ["b.rsa.pub", "a.rsa.pub"] {
        assert!(keyring.insert(name, private().public()).is_none());
    }
    assert!(keyring.insert("a.rsa.pub", private().public()).is_some());
    assert_eq!(
        keyring.names().collect::<Vec<_>>(),
        ["a.rsa.pub", "b.rsa.pub"]
    );
    assert!(keyring.get("a.rsa.pub").is_some() && keyring.get("c.rsa.pub").is_none());
}
