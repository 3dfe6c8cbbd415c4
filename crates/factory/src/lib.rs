//! The line: plan, build, judge, release
