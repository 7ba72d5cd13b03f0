//! Compiled modules as bytes, so that the host can keep them: sealed, and opened only where the seal is its own.
//!
//! Compiled code is run as it is, without any further check. So nothing is read back that this program did not write: the
//! seal is a keyed hash over the module's digest, the compiler's settings and the code.

use sha2::{Digest as _, Sha256};

use super::error::WasmError;
use super::metadata::{Abi, Inspection};
use super::module::Module;
use super::runtime::{Runtime, internal};

/// How sealed bytes begin.
const MAGIC: &[u8; 16] = b"regent-module-1\n";

/// The size of a seal.
const SEAL: usize = 32;

/// A secret of the host, without which nobody makes a seal.
pub struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key")
    }
}

impl Key {
    /// A key of random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// A module's code with a seal.
pub fn seal(module: &Module, runtime: &Runtime, key: &Key) -> Result<Vec<u8>, WasmError> {
    let code = module
        .compiled()
        .serialize()
        .map_err(|error| internal(&error))?;
    let seal = seal_of(key, module.digest(), runtime, &code);
    Ok([MAGIC.as_slice(), &seal, &code].concat())
}

/// The module whose sealed code this is; none where it is not this module's, not this compiler's, or not sealed with this key.
pub fn open(
    runtime: &Runtime,
    (wasm, sealed): (&[u8], &[u8]),
    told: Option<Abi>,
    key: &Key,
) -> Option<Result<Module, WasmError>> {
    let rest = sealed.strip_prefix(MAGIC)?;
    let (seal, code) = rest.split_at_checked(SEAL)?;
    let wanted = seal_of(key, &super::runtime::digest(wasm), runtime, code);
    let differs = seal
        .iter()
        .zip(wanted)
        .fold(0, |all, (one, other)| all | (one ^ other));
    if differs != 0 {
        return None;
    }
    let compiled = deserialise(runtime, code)?;
    let inspection = match Inspection::of(wasm) {
        Ok(inspection) => inspection,
        Err(error) => return Some(Err(error)),
    };
    Some(Module::assemble(
        runtime,
        (wasm, inspection),
        compiled,
        told,
    ))
}

/// Makes a module of code that [`seal`] wrote. The workspace's one use of `unsafe`.
#[expect(
    unsafe_code,
    reason = "wasmtime cannot check that code is its own; the seal just compared proves that `serialize` of this very compiler made it, from a module with this digest, on a host with this key"
)]
fn deserialise(runtime: &Runtime, code: &[u8]) -> Option<wasmtime::Module> {
    // SAFETY: the caller compared the seal, which covers all of `code`; whoever has the key can run code as this process anyway.
    let module = unsafe { wasmtime::Module::deserialize(runtime.engine(), code) };
    module.ok()
}

/// HMAC-SHA256 over what the code is of, and the code.
fn seal_of(key: &Key, digest: &str, runtime: &Runtime, code: &[u8]) -> [u8; SEAL] {
    let pad = |with: u8| {
        let mut block = [with; 64];
        for (byte, of_key) in block.iter_mut().zip(key.0) {
            *byte ^= of_key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(digest)
        .chain_update(runtime.compatibility())
        .chain_update(code);
    let outer = Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().into()
}
