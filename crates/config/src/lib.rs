//! boltworks.yaml
