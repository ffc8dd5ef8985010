//! Links the programs at a fixed address on Linux, and a release without tables to unwind the stack by.
//!
//! A program that may lie anywhere has some thirteen thousand addresses to set right at each start, which took a third of a
//! short command's time, and carries the table of them: 300 kB. `swarm-msg` is started for each message, each hook and each
//! edit. What a random address protects is memory that is written past its end, which safe Rust does not do.
//!
//! A release does not unwind: it ends where it panics, with a message. The tables for it, a tenth of the program, would only give
//! the names in a backtrace, which are not in a stripped program either. Linkers that know no scripts (mold, gold) leave them in, and so
//! does a program that holds glibc.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

fn main() {
    println!("cargo:rerun-if-changed=scripts/build.rs");
    println!("cargo:rerun-if-changed=scripts/no-unwinding.ld");
    if variable("CARGO_CFG_TARGET_OS") == "linux" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
        // Only the profile of releases ends at a panic (Cargo.toml).
        if variable("PROFILE") == "release" {
            let script = format!("{}/scripts/no-unwinding.ld", variable("CARGO_MANIFEST_DIR"));
            let without_tables = ["-T", &script, "-Wl,--no-eh-frame-hdr"];
            // Functions that came out the same are one: a hundredth of the program, with linkers that know how (lld).
            let folded = ["-Wl,--icf=all"];
            for arguments in [&folded[..], &without_tables[..]] {
                if (arguments == folded || !holds_glibc()) && links(arguments) {
                    for argument in arguments {
                        println!("cargo:rustc-link-arg-bins={argument}");
                    }
                }
            }
        }
    }
}

/// Whether the program holds the C library, and with it an unwinder that aborts where it does not find its own table. An error looks at the
/// stack if `RUST_BACKTRACE` is set.
fn holds_glibc() -> bool {
    let features = variable("CARGO_CFG_TARGET_FEATURE");
    variable("CARGO_CFG_TARGET_ENV") == "gnu" && features.split(',').any(|feature| feature == "crt-static")
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Whether the linker takes these arguments: tried with an empty program.
fn links(arguments: &[&str]) -> bool {
    let dir = variable("OUT_DIR");
    let (source, program) = (Path::new(&dir).join("empty.rs"), Path::new(&dir).join("empty"));
    if std::fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--crate-type=bin", "-Cpanic=abort", "--target", &variable("TARGET")]);
    rustc.args(variable("CARGO_ENCODED_RUSTFLAGS").split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.args(arguments.iter().map(|argument| format!("-Clink-arg={argument}")));
    rustc.arg("-o").arg(program).arg(source).stdout(Stdio::null()).stderr(Stdio::null());
    rustc.status().is_ok_and(|status| status.success())
}
