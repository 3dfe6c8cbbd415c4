//! The channels after a run: those that were moved, those that stay and why; for people and machines.

use std::collections::BTreeMap;

use boltworks_model::{Artifact, ChannelName, EvidenceKind, chain};
use serde_json::{Value, json};

use crate::Error;

/// How many channels a line names before they are only counted.
const NAMED: usize = 3;

/// Channels that were not moved, and why.
pub type Refusals = BTreeMap<ChannelName, String>;

/// A channel and what it points at now.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The channel.
    pub channel: ChannelName,
    /// What it points at.
    pub artifact: Artifact,
    /// Whether this run moved it.
    pub is_new: bool,
    /// How many packages are inside.
    pub packages: usize,
    /// How many bytes a client fetches.
    pub size: u64,
    /// What was judged.
    pub judged: Vec<EvidenceKind>,
    /// What was not judged.
    pub not_judged: Vec<EvidenceKind>,
}

/// A channel that was not moved, and why.
#[derive(Debug, Clone)]
pub struct RefusedMove {
    /// The channel.
    pub channel: ChannelName,
    /// Why, in lines.
    pub why: String,
}

/// The channels after a run.
#[derive(Debug, Clone, Default)]
pub struct Released {
    /// Where channels point.
    pub moved: Vec<Moved>,
    /// Channels the gate kept where they were, and those whose candidate could not be opened.
    pub refused: Vec<RefusedMove>,
    /// Channels whose image could not be made: they stay where they are. The report has the reasons.
    pub unmade: Vec<RefusedMove>,
    /// Channels that are served still, though the factory's file no longer names them.
    pub unnamed: Vec<ChannelName>,
    /// Why nothing was judged at all, where that is so.
    pub fault: Option<String>,
}

impl Released {
    /// Nothing was judged, because of this.
    pub(crate) fn nothing(error: &Error) -> Self {
        Self {
            fault: Some(chain(error)),
            ..Self::default()
        }
    }

    /// What goes wrong with one channel's candidate keeps that channel where it is, and no other.
    pub(crate) fn keep_going(
        &mut self,
        channel: &ChannelName,
        outcome: Result<(), Error>,
    ) -> Result<(), Error> {
        match outcome {
            Err(error @ Error::Cancelled(_)) => Err(error),
            Err(error) => {
                self.refused.push(RefusedMove {
                    channel: channel.clone(),
                    why: chain(&error),
                });
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Whether nothing was refused.
    pub const fn is_complete(&self) -> bool {
        self.refused.is_empty() && self.fault.is_none()
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for moved in &self.moved {
            let word = if moved.is_new { "released" } else { "current" };
            lines.push(format!(
                "{word} {}: {} packages, {}, {}",
                moved.channel,
                moved.packages,
                megabytes(moved.size),
                moved.artifact.digest.prefixed()
            ));
        }
        lines.extend(self.judged());
        for refused in &self.refused {
            lines.push(format!(
                "✗ {} was not moved: {}",
                refused.channel, refused.why
            ));
        }
        lines.extend(
            self.fault
                .iter()
                .map(|why| format!("✗ nothing was judged: {why}")),
        );
        if !self.unnamed.is_empty() {
            let names: Vec<&str> = self.unnamed.iter().map(ChannelName::as_str).collect();
            lines.push(format!(
                "still released, no longer in boltworks.yaml: {}",
                names.join(", ")
            ));
        }
        lines
    }

    /// What was judged of what was released, and what was not: of all the same, or each with its channels.
    fn judged(&self) -> Vec<String> {
        let mut ways: Vec<(&Moved, Vec<String>)> = Vec::new();
        for moved in &self.moved {
            let is_so = |(other, _): &&mut (&Moved, _)| {
                (&other.judged, &other.not_judged) == (&moved.judged, &moved.not_judged)
            };
            let channel = moved.channel.to_string();
            match ways.iter_mut().find(is_so) {
                Some((_, channels)) => channels.push(channel),
                None => ways.push((moved, vec![channel])),
            }
        }
        let is_one = ways.len() < 2;
        let lines = ways.into_iter().flat_map(|(moved, channels)| {
            let of = if is_one {
                String::new()
            } else {
                format!(" ({})", some(&channels))
            };
            [
                format!("judged: {}{of}", words(&moved.judged)),
                format!("not judged: {}{of}", words(&moved.not_judged)),
            ]
        });
        lines.collect()
    }

    /// For machines.
    pub fn document(&self) -> Value {
        let moved = |moved: &Moved| {
            json!({
                "channel": moved.channel,
                "digest": moved.artifact.digest.prefixed(),
                "new": moved.is_new,
                "packages": moved.packages,
                "size": moved.size,
                "judged": moved.judged,
                "not-judged": moved.not_judged,
            })
        };
        let refused =
            |refused: &RefusedMove| json!({"channel": refused.channel, "why": refused.why});
        json!({
            "channels": self.moved.iter().map(moved).collect::<Vec<_>>(),
            "refused": self.refused.iter().map(refused).collect::<Vec<_>>(),
            "unnamed": self.unnamed,
            "fault": self.fault,
        })
    }
}

/// Names on a line: of many, the first, and how many more there are.
fn some(names: &[String]) -> String {
    let (first, more) = names.split_at(names.len().min(NAMED));
    let first = first.join(", ");
    match more.len() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn words(kinds: &[EvidenceKind]) -> String {
    kinds
        .iter()
        .map(|kind| kind.word())
        .collect::<Vec<_>>()
        .join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn megabytes(size: u64) -> String {
    format!("{:.1} MB", size as f64 / 1e6)
}
