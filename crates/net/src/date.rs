//! `Retry-After`: seconds, or a date (RFC 9110 sections 5.6.7 and 10.2.3).

use std::time::Duration;

/// How long a server asks to wait. A date is taken against the server's own `Date`.
pub fn wait(retry_after: &str, now: Option<&str>) -> Option<Duration> {
    let text = retry_after.trim();
    if let Some(seconds) = number(text) {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (parse(text)?, parse(now?.trim())?);
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may send; the
/// name of the day is not looked at.
pub fn parse(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (weekday, rest) = text.split_once(", ")?;
    let mut fields = rest.split(' ');
    let day = number(fields.next()?)?;
    let name = fields.next().filter(|name| name.len() == 3)?;
    let month = MONTHS.find(name).filter(|index| index % 3 == 0)? as u64 / 3 + 1;
    let year = number(fields.next()?).filter(|year| (1970..10_000).contains(year))?;
    let mut clock = fields.next()?.split(':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let next_month = days(year + month / 12, month % 12 + 1, 1);
    let is_sane = weekday.len() == 3
        && weekday.bytes().all(|byte| byte.is_ascii_alphabetic())
        && text.len() == "Sun, 06 Nov 1994 08:49:37 GMT".len()
        && (1..=next_month - days(year, month, 1)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61
        && clock.next().is_none()
        && fields.next() == Some("GMT")
        && fields.next().is_none();
    is_sane.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Days since 1970-01-01, with the year taken to begin in March.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse("Fri, 31 Dec 1999 23:59:60 GMT"), Some(946_684_800));
        assert_eq!(parse("Tue, 29 Feb 2028 00:00:00 GMT"), Some(1_835_395_200));
        for bad in [
            "",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 anF 1994 08:49:37 GMT",
            "x, 1 Jan 0 0:0:0 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            " Su, 06 Nov 1994 08:49:37 GMT",
            "Sun] 06 Nov Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "Sun, 29 Feb 2027 00:00:00 GMT",
            "Sun, 31 Apr 2027 00:00:00 GMT",
            "Sun, 00 Dec 2027 00:00:00 GMT",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn both_forms_of_a_wait_are_understood() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait("120", None), Some(Duration::from_mins(2)));
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:49:40 GMT", now),
            Some(Duration::from_secs(3))
        );
        assert_eq!(
            wait("Sun, 06 Nov 1994 08:49:00 GMT", now),
            Some(Duration::ZERO)
        );
        for bad in ["soon", "+5", "-5", ""] {
            assert_eq!(wait(bad, now), None, "{bad}");
        }
    }
}
