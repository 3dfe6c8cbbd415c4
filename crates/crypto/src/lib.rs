//! Hashing, keys and signers
