//! A clearance cannot be put together by hand.

use boltworks_gate::{Cleared, Judgement};

fn forge(judgement: Judgement) -> Cleared<u8> {
    Cleared { subject: 1, judgement }
}

fn main() {}
