//! A clearance cannot come from a file.

use boltworks_gate::Cleared;

fn needs<T: serde::de::DeserializeOwned>() {}

fn main() {
    needs::<Cleared<u8>>();
}
