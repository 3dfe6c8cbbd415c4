//! A clearance is used once: it cannot be cloned.

use boltworks_gate::Cleared;

fn twice(cleared: &Cleared<u8>) -> Cleared<u8> {
    cleared.clone()
}

fn main() {}
