//! Which interpreter the modules of a language are for: their folders say it.

use super::{FileFacts, Findings, Subject};

/// The parts of a path as text; what is not UTF-8 is no part of any rule's path.
fn parts<'a>(facts: &FileFacts<'a>) -> Vec<&'a str> {
    let parts = facts.path.components();
    parts
        .map(|part| std::str::from_utf8(part).unwrap_or_default())
        .collect()
}

/// What stands behind `lib` or `usr/lib`.
fn in_library_folder<'a, 'b>(parts: &'b [&'a str]) -> Option<&'b [&'a str]> {
    match parts {
        ["lib", rest @ ..] | ["usr", "lib", rest @ ..] => Some(rest),
        _ => None,
    }
}

/// Whether these are numbers with dots between them: so many, if it is said.
fn is_version(text: &str, count: Option<usize>) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split('.').all(is_number) && count.is_none_or(|count| text.split('.').count() == count)
}

/// Whether the recipe itself asks for something whose name begins so.
fn is_declared(subject: &Subject<'_>, start: &str) -> bool {
    let names = subject.declared.iter().filter(|said| !said.conflict);
    names
        .map(|said| said.name.as_str())
        .any(|name| name.starts_with(start))
}

/// `…/python3.14/site-packages` → `python-3.14-base`, unless the recipe names a Python.
pub(super) fn python(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    for pair in parts(facts).windows(2) {
        let [above, "site-packages"] = pair else {
            continue;
        };
        let version = above.strip_prefix("python");
        if let Some(version) = version.filter(|version| is_version(version, Some(2)))
            && !is_declared(subject, "python")
        {
            findings.need(format!("python-{version}-base"), facts.path);
        }
    }
}

/// `usr/lib/ruby/gems/3.4.0/gems` → `ruby-3.4`, unless the recipe names a Ruby.
pub(super) fn ruby(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let parts = parts(facts);
    let Some(["ruby", "gems", version, "gems", ..]) = in_library_folder(&parts) else {
        return;
    };
    if is_version(version, Some(3))
        && !is_declared(subject, "ruby-")
        && let Some((version, _)) = version.rsplit_once('.')
    {
        findings.need(format!("ruby-{version}"), facts.path);
    }
}

/// `usr/lib/perl5/vendor_perl` → `perl~5`, unless the recipe names perl.
pub(super) fn perl(subject: &Subject<'_>, facts: &FileFacts<'_>, findings: &mut Findings) {
    let parts = parts(facts);
    let Some([folder, modules, ..]) = in_library_folder(&parts) else {
        return;
    };
    let version = folder.strip_prefix("perl");
    if let Some(version) = version.filter(|version| is_version(version, None))
        && modules.ends_with("_perl")
        && !subject
            .declared
            .iter()
            .any(|said| said.name.as_str() == "perl")
    {
        findings.need(format!("perl~{version}"), facts.path);
    }
}
