//! Times and sizes as Go and Kubernetes write them.

use std::time::Duration;

/// Units of Go's durations, in nanoseconds; longer names first.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// `1h30m`, `90s`, `1.5h`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let unit = UNITS.iter().find(|(name, _)| {
            let left = after.strip_prefix(name);
            left.is_some_and(|left| {
                left.is_empty() || left.starts_with(|c: char| c.is_ascii_digit())
            })
        })?;
        total = total.checked_add(scaled(number, unit.1)?)?;
        rest = after.strip_prefix(unit.0)?;
    }
    let is_something = !text.is_empty();
    is_something.then(|| Duration::from_nanos(total))
}

/// A number with a fraction, times a scale.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let is_something = !whole.is_empty() || !fraction.is_empty();
    if !is_something || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    let parts = 10_u64.checked_pow(places)?;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let total = digits.checked_mul(u128::from(scale))? / u128::from(parts);
    u64::try_from(total).ok()
}

/// `8Gi`, `512M`, `1073741824`: bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    const SCALES: &[(&str, u64)] = &[
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let scale = SCALES.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, scale) = match scale {
        Some((unit, scale)) => (text.strip_suffix(unit)?, *scale),
        None => (text, 1),
    };
    scaled(number, scale).filter(|bytes| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_reads_them() {
        let millis = |text| duration(text).map(|span| span.as_millis());
        assert_eq!(millis("1h30m"), Some(5_400_000));
        assert_eq!(millis("1.5h"), Some(5_400_000));
        assert_eq!(millis("90s"), Some(90_000));
        assert_eq!(millis("250ms"), Some(250));
        assert_eq!(millis("0"), Some(0));
        assert_eq!(millis("0s"), Some(0));
        for wrong in ["", "90", "s", "1x", "-1s", "1h30", "99999999999h"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read_as_kubernetes_reads_them() {
        assert_eq!(bytes("8Gi"), Some(8 << 30));
        assert_eq!(bytes("1.5Ki"), Some(1536));
        assert_eq!(bytes("512M"), Some(512_000_000));
        assert_eq!(bytes("4096"), Some(4096));
        for wrong in ["", "Gi", "8GiB", "-1", "0", "1e3"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
