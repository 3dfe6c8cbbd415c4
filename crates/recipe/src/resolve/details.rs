//! What is said of a package beside what it needs and offers: file capabilities, CPE, time limit,
//! what a build takes.

use std::time::Duration;

use boltworks_yaml::closest;

use super::package::{Fields, leaves};
use crate::parsed::{self, Text};
use crate::resolved::{CAPABILITIES, Capability, Cpe, Resources, capability_bit};
use crate::{Error, Problem};

impl Fields<'_> {
    /// File capabilities, each with its reason.
    pub(super) fn setcap(&self, parsed: &[parsed::Capability]) -> Result<Vec<Capability>, Error> {
        let one = |capability: &parsed::Capability| {
            let path = self.one_line("the path", &capability.path)?;
            let Some(reason) = self.optional_sentence("the reason", capability.reason.as_ref())?
            else {
                let rule = [
                    "needs a reason",
                    "add `reason: …` beside `path`: who reads the package will ask",
                ];
                return Err(self.bad(&capability.path, "the capability of", &path, rule));
            };
            if leaves(&path) {
                let rule = [
                    "does not stay in the package",
                    "write it from the package's root on: `/usr/bin/ping`",
                ];
                return Err(self.bad(&capability.path, "the path", &path, rule));
            }
            let add = self.environment(&capability.add)?;
            for ((names, flags), text) in add.iter().zip(capability.add.values()) {
                let is_known = |name: &str| capability_bit(name).is_some();
                if let Some(name) = names.split(',').find(|name| !is_known(name)) {
                    let problem = Problem::UnknownWord {
                        what: "file capability",
                        text: boltworks_model::visible_start(name, 160),
                        known: "the kernel's, as capabilities(7) names them, in small letters"
                            .to_owned(),
                        suggestion: closest(name, CAPABILITIES.iter().copied()).map(str::to_owned),
                    };
                    let place = self.0.origin.place_of_key(names, text);
                    return Err(Error::at(place, problem));
                }
                let set = flags.trim_start_matches(['+', '=']);
                if set.is_empty() || !set.bytes().all(|flag| b"eip".contains(&flag)) {
                    let rule = [
                        "are not of the form +eip",
                        "write + and of e, i and p those that are meant: `+ep`",
                    ];
                    return Err(self.bad(text, "the flags", flags, rule));
                }
            }
            let written = self.0.written(&capability.path);
            Ok(Capability {
                path,
                add,
                reason,
                written,
            })
        };
        parsed.iter().map(one).collect()
    }

    /// Process capabilities: names of the kernel's, in capitals, or `ALL`.
    pub(super) fn capabilities(&self, list: &[Text]) -> Result<Vec<String>, Error> {
        for text in list {
            let filled = self.0.fill(text)?;
            let name = filled.trim().to_ascii_lowercase();
            let prefixed = format!("cap_{name}");
            let is_known = |name: &str| capability_bit(name).is_some();
            if matches!(&*name, "" | "all") || is_known(&name) || is_known(&prefixed) {
                continue;
            }
            let known: Vec<_> = CAPABILITIES
                .iter()
                .map(|name| format!("CAP_{}", name.to_ascii_uppercase()))
                .collect();
            let near = closest(&filled, known.iter().map(String::as_str));
            let problem = Problem::UnknownWord {
                what: "capability",
                text: boltworks_model::visible_start(&filled, 160),
                known: "the kernel's, as capabilities(7) names them: CAP_NET_ADMIN".to_owned(),
                suggestion: near.map(str::to_owned),
            };
            return Err(self.0.problem(text, problem));
        }
        self.texts(list)
    }

    /// The parts of a CPE 2.3 name.
    pub(super) fn cpe(&self, parsed: &parsed::Cpe) -> Result<Cpe, Error> {
        let part = self.optional(parsed.part.as_ref())?;
        if let (Some(text), Some(part)) = (&parsed.part, &part)
            && !matches!(part.as_str(), "a" | "o")
        {
            let rule = [
                "is neither a, an application, nor o, an operating system",
                "write `part: a`, or leave it out",
            ];
            return Err(self.bad(text, "the part", part, rule));
        }
        let (vendor, product) = (
            self.cpe_value(parsed.vendor.as_ref())?,
            self.cpe_value(parsed.product.as_ref())?,
        );
        for (text, there, other) in [
            (&parsed.vendor, &vendor, &product),
            (&parsed.product, &product, &vendor),
        ] {
            if let (Some(text), Some(there), None) = (text, there, other) {
                let rule = [
                    "stands alone: a CPE has a vendor and a product",
                    "write both, `vendor: …` and `product: …`, or neither",
                ];
                return Err(self.bad(text, "the name", there, rule));
            }
        }
        Ok(Cpe {
            part,
            vendor,
            product,
            edition: self.cpe_value(parsed.edition.as_ref())?,
            language: self.cpe_value(parsed.language.as_ref())?,
            sw_edition: self.cpe_value(parsed.sw_edition.as_ref())?,
            target_sw: self.cpe_value(parsed.target_sw.as_ref())?,
            target_hw: self.cpe_value(parsed.target_hw.as_ref())?,
            other: self.cpe_value(parsed.other.as_ref())?,
        })
    }

    fn cpe_value(&self, text: Option<&Text>) -> Result<Option<String>, Error> {
        let value = self.optional(text)?;
        if let (Some(text), Some(value)) = (text, &value) {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let is_value = value
                .bytes()
                .all(|byte| is_plain(byte) || b"+_.-".contains(&byte))
                && value.bytes().next().is_some_and(is_plain);
            if !is_value {
                let rule = [
                    "has other characters than small letters, digits and + _ . -",
                    "write one part, as the vulnerability lists name it: `gnu`",
                ];
                return Err(self.bad(text, "the part of a CPE", value, rule));
            }
        }
        Ok(value)
    }

    /// What a build or a test takes.
    pub(super) fn resources(&self, parsed: &parsed::Resources) -> Result<Resources, Error> {
        Ok(Resources {
            cpu: self.optional(parsed.cpu.as_ref())?,
            cpumodel: self.optional(parsed.cpumodel.as_ref())?,
            memory: self.optional(parsed.memory.as_ref())?,
            disk: self.optional(parsed.disk.as_ref())?,
        })
    }

    /// How long something may take.
    pub(super) fn timeout(&self, text: Option<&Text>) -> Result<Option<Duration>, Error> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        let filled = self.0.fill(text)?;
        if let Some(duration) = duration(filled.trim()) {
            return Ok(Some(duration));
        }
        let rule = [
            "is not of the form 1h30m or 90s",
            "write a time that is not below 0, or leave it out for no limit",
        ];
        Err(self.bad(text, "the timeout", &filled, rule))
    }
}

/// A duration as Go reads it (`1h30m`, `1.5h`, `90s`, `100ms`), or whole seconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut nanoseconds = 0_u128;
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest.find(|c| !is_number(c))?;
        let (number, after) = rest.split_at_checked(end)?;
        let (unit, after) = after.split_at_checked(after.find(is_number).unwrap_or(after.len()))?;
        let scale: u128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        nanoseconds = nanoseconds.checked_add(scaled(number, scale)?)?;
        rest = after;
    }
    let most = u128::from(i64::MAX.unsigned_abs());
    let nanoseconds = Some(nanoseconds).filter(|found| *found <= most)?;
    Some(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
}

/// `1.5` times the scale; what is smaller than one is cut.
fn scaled(number: &str, scale: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 32 {
        return None;
    }
    let digits = |text: &str| {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse::<u128>().ok()
        }
    };
    let fraction = fraction.get(..fraction.len().min(15))?;
    let below = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    digits(whole)?
        .checked_mul(scale)?
        .checked_add(digits(fraction)?.checked_mul(scale)? / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos_or_seconds() {
        let check = |text: &str, expected: Option<Duration>| {
            assert_eq!(duration(text), expected, "{text}");
        };
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        check("1h30m", seconds(5400));
        check("1.5h", seconds(5400));
        check(".5m", seconds(30));
        check("+1.h", seconds(3600));
        check("90s", seconds(90));
        check("3600", seconds(3600));
        check("0", seconds(0));
        check("2000ms", seconds(2));
        check("1us1ns", Some(Duration::from_nanos(1001)));
        check("2\u{b5}s2\u{3bc}s", Some(Duration::from_micros(4)));
        check("0.0000000001s", seconds(0));
        for text in [
            "",
            "+",
            "1d",
            "h",
            ".h",
            "1.2.3h",
            "-1s",
            "1h 2m",
            "1.5",
            "99999999999999999999h",
            "9999999999999999999h",
            "2562048h",
            "1e3s",
        ] {
            check(text, None);
        }
    }
}
