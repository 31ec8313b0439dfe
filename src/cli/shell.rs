//! `gatenorm completions` and `gatenorm manual`: what a shell and a reader of manuals need.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use gatenorm::Error;
use gatenorm::formats::atomic;

use super::Cli;
use super::report::talk;

/// Prints completions for a shell.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm completions bash > ~/.local/share/bash-completion/completions/gatenorm")]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Writes the manual's pages, one for each command.
#[derive(Args)]
#[command(after_help = "Example:\n  gatenorm manual ~/.local/share/man/man1 && man gatenorm-train")]
pub struct Manual {
    /// The folder to write into, which is made where it is missing.
    folder: PathBuf,
}

/// Prints completions.
pub fn completions(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gatenorm", &mut script);
    let mut out = std::io::stdout().lock();
    out.write_all(&script)?;
    Ok(out.flush()?)
}

/// Writes the pages.
pub fn manual(args: &Manual) -> Result<()> {
    std::fs::create_dir_all(&args.folder).map_err(|e| Error::io(&args.folder, "make the folder", e))?;
    let mut all = Cli::command();
    all.build();
    let mut pages = vec![("gatenorm".to_owned(), all.clone())];
    pages.extend(all.get_subcommands().map(|command| (format!("gatenorm-{}", command.get_name()), command.clone())));
    let count = pages.len();
    for (name, command) in pages {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        atomic::write_file(&args.folder.join(format!("{name}.1")), |file| file.write_all(&page))?;
    }
    talk!("wrote {count} pages to {}", args.folder.display());
    Ok(())
}
