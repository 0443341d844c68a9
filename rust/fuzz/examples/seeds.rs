//! Writes the seeds of the fuzz targets from the byte-level corpus of `http1` and the golden files:
//! `cargo run --example seeds`.

#[path = "../../http1/tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

/// Cases over this size are left out: the fuzzer would spend its time on copying them.
const LIMIT: usize = 600;

fn main() -> std::io::Result<()> {
    let write = |target: &str, seeds: Vec<Vec<u8>>| {
        let folder = root().join("seeds").join(target);
        fs::create_dir_all(&folder)?;
        for (at, seed) in seeds
            .into_iter()
            .filter(|seed| seed.len() <= LIMIT || target == "change_set")
            .enumerate()
        {
            fs::write(folder.join(format!("{at:03}")), seed)?;
        }
        std::io::Result::Ok(())
    };
    write(
        "request_head",
        common::cases("requests.txt")
            .into_iter()
            .map(|case| case.bytes)
            .collect(),
    )?;
    write(
        "response_head",
        common::cases("responses.txt").into_iter().map(response).collect(),
    )?;
    write(
        "body_framing",
        common::cases("chunks.txt")
            .into_iter()
            .map(|case| [b"\0seed", &case.bytes[..]].concat())
            .collect(),
    )?;
    write("path_normalise", paths())?;
    write("change_set", golden()?)
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first byte says which request is answered.
fn response(case: common::Case) -> Vec<u8> {
    let kind = u8::from(case.method == b"HEAD") | u8::from(case.upgrade) << 1;
    [&[kind], &case.bytes[..]].concat()
}

/// The first byte says whether slashes are merged.
fn paths() -> Vec<Vec<u8>> {
    let text = common::read("paths.txt");
    let raw = text
        .lines()
        .filter_map(|row| row.split_once(" => "))
        .map(|(raw, _)| common::unescape(raw));
    raw.enumerate()
        .map(|(at, raw)| [&[b'0' + (at % 2) as u8], &raw[..]].concat())
        .collect()
}

/// Change sets as JSON and as they cross the boundary, and a history of several.
fn golden() -> std::io::Result<Vec<Vec<u8>>> {
    let folder = root().join("../../tests/fixtures/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut seeds = files.iter().map(fs::read).collect::<Result<Vec<_>, _>>()?;
    seeds.push(include_bytes!("history.json").to_vec());
    Ok(seeds)
}
