//! How one text is made of another: the instructions of git's packs (gitformat-pack, "Deltified
//! representation"). The same two texts give the same instructions on every machine.

use std::collections::HashMap;

/// Pieces of this size are looked for.
const BLOCK: usize = 16;
/// The longest literal of one instruction.
const MAX_LITERAL: usize = 127;
/// The longest copy of one instruction.
const MAX_COPY: usize = 0xff_ffff;

/// The instructions that make `target` of `base`, or `None` where they would not be at most half as
/// long as the target itself.
pub(super) fn delta(base: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(target.len() / 8 + 16);
    size(base.len(), &mut out);
    size(target.len(), &mut out);
    let limit = target.len() / 2;
    // Versions of one text mostly begin and end alike.
    let head = common(base, target);
    let (base_rest, rest) = (base.get(head..)?, target.get(head..)?);
    let tail = common_end(base_rest, rest);
    let middle = rest.get(..rest.len() - tail)?;
    copy(0, head, &mut out);
    if !between(base_rest, head, middle, (&mut out, limit)) {
        return None;
    }
    copy(base.len() - tail, tail, &mut out);
    (out.len() <= limit).then_some(out)
}

/// Instructions for the part that differs; whether they stayed within the limit.
fn between(base: &[u8], offset: usize, target: &[u8], (out, limit): (&mut Vec<u8>, usize)) -> bool {
    if target.len() < BLOCK {
        literal(target, out);
        return out.len() <= limit;
    }
    let index = index(base);
    let (mut at, mut from) = (0, 0);
    while let Some(window) = target.get(at..at + BLOCK) {
        let found = index.get(window).copied();
        let Some(found) = found else {
            at += 1;
            continue;
        };
        let here = target.get(at..).unwrap_or_default();
        let length = common(base.get(found..).unwrap_or_default(), here);
        // What was passed over as new may be old too, when read backwards.
        let passed = target.get(from..at).unwrap_or_default();
        let before = common_end(base.get(..found).unwrap_or_default(), passed);
        literal(target.get(from..at - before).unwrap_or_default(), out);
        copy(offset + found - before, before + length, out);
        at += length;
        from = at;
        if out.len() > limit {
            return false;
        }
    }
    literal(target.get(from..).unwrap_or_default(), out);
    out.len() <= limit
}

/// The first place of every piece.
fn index(base: &[u8]) -> HashMap<&[u8], usize> {
    let mut index = HashMap::with_capacity(base.len() / BLOCK);
    for (number, block) in base.chunks_exact(BLOCK).enumerate() {
        index.entry(block).or_insert(number * BLOCK);
    }
    index
}

/// How many bytes two texts have in common at their beginning.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

/// How many bytes two texts have in common at their end.
fn common_end(one: &[u8], other: &[u8]) -> usize {
    let (one, other) = (one.iter().rev(), other.iter().rev());
    one.zip(other).take_while(|(a, b)| a == b).count()
}

/// A size in groups of seven bits, the lowest first.
fn size(mut size: usize, out: &mut Vec<u8>) {
    while size > 0x7f {
        out.push(low(size) | 0x80);
        size >>= 7;
    }
    out.push(low(size));
}

fn literal(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(MAX_LITERAL) {
        out.push(low(piece.len()));
        out.extend_from_slice(piece);
    }
}

fn copy(mut offset: usize, mut length: usize, out: &mut Vec<u8>) {
    while length > 0 {
        let count = length.min(MAX_COPY);
        let at = out.len();
        out.push(0x80);
        let mut mark = 0x80;
        let fields = [(offset, 4, 0), (count, 3, 4)];
        for (value, bytes, shift) in fields {
            for byte in 0..bytes {
                let part = (value >> (8 * byte)) & 0xff;
                if part != 0 {
                    out.push(u8::try_from(part).unwrap_or_default());
                    mark |= 1 << (shift + byte);
                }
            }
        }
        if let Some(first) = out.get_mut(at) {
            *first = mark;
        }
        offset += count;
        length -= count;
    }
}

/// The lowest seven bits.
fn low(value: usize) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_size(delta: &mut &[u8]) -> usize {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = delta.split_first().unwrap();
            *delta = rest;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }

    /// A number of which only some bytes are there.
    fn field(mark: u8, bits: std::ops::Range<u32>, delta: &mut &[u8]) -> usize {
        let first = bits.start;
        let there = bits.filter(|bit| mark & (1 << bit) != 0);
        there.fold(0, |value, bit| {
            let (byte, rest) = delta.split_first().unwrap();
            *delta = rest;
            value | usize::from(*byte) << (8 * (bit - first))
        })
    }

    /// What the instructions make of the base.
    fn apply(base: &[u8], mut delta: &[u8]) -> Vec<u8> {
        assert_eq!(read_size(&mut delta), base.len());
        let length = read_size(&mut delta);
        let mut out = Vec::new();
        while let Some((&mark, rest)) = delta.split_first() {
            delta = rest;
            if mark & 0x80 == 0 {
                assert_ne!(mark, 0);
                let (bytes, rest) = delta.split_at(mark.into());
                out.extend_from_slice(bytes);
                delta = rest;
                continue;
            }
            let (offset, count) = (field(mark, 0..4, &mut delta), field(mark, 4..7, &mut delta));
            assert_ne!(count, 0);
            out.extend_from_slice(&base[offset..offset + count]);
        }
        assert_eq!(out.len(), length);
        out
    }

    fn check(base: &[u8], target: &[u8], most: usize) {
        let delta = delta(base, target).unwrap();
        assert!(delta.len() <= most, "{} bytes", delta.len());
        assert_eq!(apply(base, &delta), target);
    }

    #[test]
    fn versions_of_a_text_need_few_instructions() {
        let text: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
        check(&text, &text, 12);
        let mut edited = text.clone();
        edited[100] = 1;
        edited.splice(40_000..40_000, *b"put in");
        edited.drain(60_000..60_300);
        check(&text, &edited, 60);
        check(&edited, &text, 400);
        let turned = [&text[40_000..], &text[..40_000]].concat();
        check(&text, &turned, 60);
    }

    #[test]
    fn texts_with_nothing_in_common_have_no_delta() {
        assert_eq!(delta(b"", &[1; 1000]), None);
        assert_eq!(delta(&[2; 1000], &[1; 1000]), None);
        assert_eq!(delta(b"abc", b""), None);
        let huge = vec![7; 0x100_0010];
        check(&huge, &huge, 24);
    }

    proptest! {
        #[test]
        fn what_is_made_of_the_base_is_the_target(
            parts in proptest::collection::vec(proptest::collection::vec(0_u8..4, 0..40), 0..20),
            order in proptest::collection::vec(0_usize..20, 0..40),
        ) {
            let base = parts.concat();
            let target: Vec<u8> = order
                .iter()
                .filter_map(|at| parts.get(*at))
                .flatten()
                .copied()
                .collect();
            if let Some(delta) = delta(&base, &target) {
                prop_assert_eq!(apply(&base, &delta), target);
            }
        }
    }
}
