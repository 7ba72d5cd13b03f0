//! The `regent` binary.

use std::process::ExitCode;

use regent::io::Io;

/// Of the binary alone: who links the library has an allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let (mut stdin, mut stdout, mut stderr) = Io::process_streams();
    let mut io = Io::of_process(&mut stdin, &mut stdout, &mut stderr);
    regent::run(std::env::args_os(), &mut io).into()
}
