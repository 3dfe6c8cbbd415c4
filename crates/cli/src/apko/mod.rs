//! `apko`: the same work under another program's command line.
//!
//! A link named `apko`, or the first word `apko`, leads here. Names, letters and defaults of commands and
//! flags are that program's; the work is that of `boltworks image` and the others. `docs/from-apko.md` says
//! of every command and flag what becomes of it.
//!
//! Reading order: [`commands`] and [`flags`] (what there is, as data), [`given`] (from flags to what the
//! factory wants), then one module for each sort of command.

mod build;
mod commands;
mod config;
mod dot;
mod erofs;
mod flags;
mod given;
mod lock;
mod packages;
mod publish;

use std::process::ExitCode;

use boltworks_factory::single::image::Shape;

use self::commands::COMMANDS;
use self::flags::EVERYWHERE;
use crate::dialect::flag::Words;
use crate::dialect::{Dialect, other};
use crate::failure::Failure;
use crate::output::Output;

/// Its command line.
pub(crate) const APKO: Dialect = Dialect {
    name: "apko",
    about: "Builds images from apk packages: the command line of apko, the work of Boltworks",
    commands: COMMANDS,
    groups: &[("erofs", "Images with layers of EROFS")],
    everywhere: EVERYWHERE,
    work,
};

fn work(command: &str, words: &Words<'_>, output: &Output) -> Result<ExitCode, Failure> {
    match command {
        "build" => build::run(words, output),
        "build-minirootfs" => build::files(words, Shape::Tar, output),
        "build-cpio" => build::files(words, Shape::Cpio, output),
        "publish" => publish::run(words, output),
        "login" => publish::log_in(words, output),
        "lock" => lock::run(words, "lock.json", output),
        "resolve" => {
            output.note("! resolve is called lock by now");
            lock::run(words, "resolved.json", output)
        }
        "show-config" => config::run(words, output),
        "show-packages" => packages::run(words, output),
        "dot" => dot::run(words, output),
        "erofs mount" => erofs::mount(words, output),
        "erofs umount" => erofs::unmount(words, output),
        "erofs ls" => erofs::list(words, output),
        "version" => other::version(&APKO, words, output),
        _ => other::completion(&APKO, words, output),
    }
}

#[cfg(test)]
mod tests;
