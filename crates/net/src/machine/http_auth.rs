//! apko's variable `HTTP_AUTH`: `basic:HOST:USER:PASSWORD`, here several of them, with commas between.

use crate::credential::Login;

/// How a login begins.
const BASIC: &str = "basic:";

/// The hosts and logins in the variable. A comma ends a password only where another login follows.
///
/// # Errors
/// A sentence on the part that has another form; it repeats nothing of it.
pub fn parse(text: &str) -> Result<Vec<(String, Login)>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let fault = |at: usize| {
        format!(
            "login {at} in HTTP_AUTH has not the form basic:HOST:USER:PASSWORD (several are parted by commas)"
        )
    };
    let Some(first) = text.strip_prefix(BASIC) else {
        return Err(fault(1));
    };
    let parts = first.split(",basic:").enumerate();
    parts
        .map(|(at, part)| {
            let mut words = part.splitn(3, ':');
            match (words.next(), words.next(), words.next()) {
                (Some(host), Some(user), Some(password)) if !host.is_empty() => {
                    Ok((host.to_ascii_lowercase(), Login::new(user, password)))
                }
                _ => Err(fault(at + 1)),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, &str, &str)]) {
        let found = parse(text).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(host, login)| {
                let password = login.password.expose().as_str();
                (host.as_str(), login.user.as_str(), password)
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn several_logins_are_told_apart() {
        check("", &[]);
        check("basic:a.example:me:p:w", &[("a.example", "me", "p:w")]);
        check(
            "basic:A.example:me:x,y,basic:b.example:you:z",
            &[("a.example", "me", "x,y"), ("b.example", "you", "z")],
        );
        let error = parse("basic:a.example:me:hunter2,basic:b:hunter3").unwrap_err();
        assert!(error.starts_with("login 2 in") && !error.contains("hunter"));
        assert!(parse("bearer:a.example:me:pw").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(basic:|[a-z:,]){0,20}") {
            if let Ok(logins) = parse(&text) {
                prop_assert!(logins.iter().all(|(host, _)| !host.is_empty()));
            }
        }
    }
}
