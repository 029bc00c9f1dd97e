//! A list of calls and the memory that they point into, made from the fuzzer's bytes.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use arbitrary::{Result, Unstructured};
use clawguard_core::fuzzing::judged_calls;

use super::signature;

const PAGE: usize = 4096;
const PAGES: u64 = 12;
/// Where paths stand in the image, one each; the last stands at its end, and so before memory that is not there.
const SLOT: usize = 768;
const SLOTS: usize = 5;
/// Where structures stand: an array of pointers, and bytes that are an `open_how`, an address or times.
const ARRAY: usize = SLOT * SLOTS;
const ARRAY_LENGTH: usize = 64;
const STRUCTURES: usize = ARRAY + ARRAY_LENGTH;
const STRUCTURE: usize = 160;
/// Where the calls may write.
const BUFFER: u64 = 5 * PAGE as u64;
/// How `executor.c` maps its memory, and what follows a copy of the image's end.
const BASE: u64 = 0x2000_0000;
const END: u64 = 11 * PAGE as u64;

const CALLS: usize = 10;
const DESCRIPTORS: u64 = 24;

const NAMES: [&[u8]; 34] = [
    b"f",
    b".env",
    b"secret",
    b"key",
    b"pub",
    b"kept",
    b"readable",
    b"d",
    b"e",
    b"g",
    b"link",
    b"dirlink",
    b"up",
    b"loop",
    b"abs",
    b"root",
    b"fdlink",
    b"dangling",
    b"fifo",
    b"blind",
    b"new",
    b".",
    b"..",
    b"",
    b"proc",
    b"self",
    b"fd",
    b"3",
    b"9",
    b"cwd",
    b"thread-self",
    b"s",
    b"long",
    b".ENV",
];
const ATTRIBUTES: [&[u8]; 5] =
    [b"user.a", b"user.b", b"security.capability", b"system.posix_acl_access", b"trusted.a"];
const NUMBERS: [u64; 24] = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    24,
    32,
    64,
    110,
    0x100,
    0x200,
    0x1000,
    0x1ff,
    0x8000,
    0xfff,
    0x2000_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    u64::MAX,
    1 << 63,
];
/// O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NONBLOCK, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_TMPFILE: x86_64.
const OPEN: [u64; 12] = [
    0o1,
    0o2,
    0o100,
    0o200,
    0o1000,
    0o2000,
    0o4000,
    0o200_000,
    0o400_000,
    0o10_000_000,
    0o20_200_000,
    0o2_000_000,
];
/// AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR or AT_EACCESS, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH.
const AT: [u64; 4] = [0x100, 0x200, 0x400, 0x1000];
const MODES: [u64; 8] = [0, 0o600, 0o644, 0o755, 0o4755, 0o100_600, 0o10_600, 0o140_777];

/// An argument, as `executor.c` reads it: a kind and a value.
#[derive(Clone, Copy, Debug)]
enum Argument {
    Number(u64),
    Pointer(u64),
    Descriptor(u64),
    Result(u64),
    HighDescriptor(u64),
}

#[derive(Debug)]
#[expect(dead_code, reason = "the name is for whoever reads a finding")]
struct Call {
    name: &'static str,
    number: u16,
    arguments: [Argument; 6],
}

pub(super) struct Program {
    image: Vec<u8>,
    paths: Vec<Vec<u8>>,
    /// What another thread writes over a path, again and again.
    racer: Option<(u16, Vec<u8>)>,
    calls: Vec<Call>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let paths: Vec<_> = self.paths.iter().map(|path| path.escape_ascii().to_string()).collect();
        let racer = self.racer.as_ref().map(|(at, bytes)| (at, bytes.escape_ascii().to_string()));
        f.debug_struct("Program")
            .field("paths", &paths)
            .field("racer", &racer)
            .field("calls", &self.calls)
            .finish()
    }
}

impl Program {
    pub(super) fn read(bytes: &mut Unstructured<'_>, root: &Path) -> Result<Program> {
        let known: Vec<(&'static str, u32)> = judged_calls().collect();
        let mut calls = Vec::new();
        for _ in 0..bytes.int_in_range(1..=CALLS)? {
            let (name, number) = *bytes.choose(&known)?;
            calls.push(call(bytes, name, u16::try_from(number).unwrap_or(u16::MAX))?);
        }
        let mut image = vec![0; STRUCTURES + STRUCTURE];
        let paths = (0..SLOTS).map(|_| path(bytes, root)).collect::<Result<Vec<_>>>()?;
        let racer = match bytes.ratio(1, 4)? {
            true => Some((
                u16::try_from(bytes.choose_index(SLOTS)? * SLOT).unwrap_or(0),
                path(bytes, root)?,
            )),
            false => None,
        };
        for (slot, path) in paths.iter().enumerate() {
            let length = path.len().min(SLOT);
            image[slot * SLOT..slot * SLOT + length].copy_from_slice(&path[..length]);
        }
        for (index, pointer) in image[ARRAY..STRUCTURES - 8].chunks_exact_mut(8).enumerate() {
            if index < SLOTS && bytes.ratio(3, 4)? {
                pointer.copy_from_slice(&(BASE + (index * SLOT) as u64).to_le_bytes());
            }
        }
        structure(bytes, &mut image[STRUCTURES..], &paths[0])?;
        // The last page ends with the image: with a path that is not ended, if the fuzzer says so.
        if bytes.ratio(1, 2)? {
            image.extend_from_slice(&paths[0]);
        }
        Ok(Program { image, paths, racer, calls })
    }

    /// The program as `executor.c` reads it.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(u16::try_from(self.image.len()).unwrap_or(0).to_le_bytes());
        out.extend(&self.image);
        let (at, racing) =
            self.racer.as_ref().map_or((0, &[][..]), |(at, bytes)| (*at, bytes.as_slice()));
        let racing = &racing[..racing.len().min(255)];
        out.extend(at.to_le_bytes());
        out.push(racing.len() as u8);
        out.extend(racing);
        out.push(self.calls.len() as u8);
        for call in &self.calls {
            out.extend(call.number.to_le_bytes());
            for argument in call.arguments {
                let (kind, value) = match argument {
                    Argument::Number(value) => (0u8, value),
                    Argument::Pointer(value) => (1, value),
                    Argument::Descriptor(value) => (2, value),
                    Argument::Result(value) => (3, value),
                    Argument::HighDescriptor(value) => (4, value),
                };
                out.push(kind);
                out.extend(value.to_le_bytes());
            }
        }
        out
    }
}

fn call(bytes: &mut Unstructured<'_>, name: &'static str, number: u16) -> Result<Call> {
    let mut arguments = [Argument::Number(0); 6];
    let signature = signature::of(name);
    for (index, argument) in arguments.iter_mut().enumerate() {
        let letter = signature.get(index).copied();
        *argument = match letter {
            Some(letter) if !bytes.ratio(1, 12)? => self::argument(bytes, letter)?,
            Some(_) => anything(bytes)?,
            None if signature.is_empty() => anything(bytes)?,
            None => continue,
        };
    }
    Ok(Call { name, number, arguments })
}

fn argument(bytes: &mut Unstructured<'_>, letter: u8) -> Result<Argument> {
    let set = |bytes: &mut Unstructured<'_>, bits: &[u64]| -> Result<u64> {
        let chosen: u16 = bytes.arbitrary()?;
        Ok(bits
            .iter()
            .enumerate()
            .filter(|(at, _)| chosen >> at & 1 != 0)
            .fold(0, |all, (_, bit)| all | bit))
    };
    Ok(match letter {
        b'p' => Argument::Pointer((bytes.choose_index(SLOTS)? * SLOT) as u64),
        b'd' => match bytes.int_in_range(0..=7)? {
            0 => Argument::HighDescriptor(bytes.int_in_range(0..=DESCRIPTORS - 1)?),
            1 | 2 => Argument::Result(bytes.arbitrary()?),
            _ => Argument::Descriptor(bytes.int_in_range(0..=DESCRIPTORS - 1)?),
        },
        // Few flags at once: most of the combinations are errors.
        b'o' => Argument::Number(set(bytes, &OPEN)? & (set(bytes, &OPEN)? | 3)),
        b'a' => Argument::Number(set(bytes, &AT)?),
        b'm' => Argument::Number(*bytes.choose(&MODES)?),
        b'n' => Argument::Number(bytes.int_in_range(0..=40)?),
        b'z' => Argument::Number(*bytes.choose(&NUMBERS)?),
        b'h' | b's' | b't' | b'X' => Argument::Pointer(STRUCTURES as u64),
        b'x' => Argument::Pointer((STRUCTURES + 128) as u64),
        b'v' => Argument::Pointer(BUFFER),
        b'A' => Argument::Pointer(ARRAY as u64),
        _ => anything(bytes)?,
    })
}

fn anything(bytes: &mut Unstructured<'_>) -> Result<Argument> {
    Ok(match bytes.int_in_range(0..=6)? {
        0 => Argument::Number(*bytes.choose(&NUMBERS)?),
        1 => Argument::Number(bytes.arbitrary()?),
        2 => Argument::Pointer(bytes.int_in_range(0..=PAGES * PAGE as u64)?),
        // Right before memory that is not there, and around the other edges.
        3 => Argument::Pointer(END - bytes.int_in_range(0..=300u64)?),
        4 => Argument::Pointer(
            PAGE as u64 * bytes.int_in_range(0..=11u64)? + bytes.int_in_range(0..=8u64)?,
        ),
        5 => Argument::Descriptor(bytes.int_in_range(0..=DESCRIPTORS - 1)?),
        _ => Argument::Result(bytes.arbitrary()?),
    })
}

/// An `open_how`, a socket address, times, `xattr_args`, or any bytes; and the name of an attribute behind it.
fn structure(bytes: &mut Unstructured<'_>, into: &mut [u8], path: &[u8]) -> Result<()> {
    let mut words: Vec<u64> = Vec::new();
    match bytes.int_in_range(0..=4)? {
        0 => {
            let flags = bytes.int_in_range(0..=OPEN.len() - 1)?;
            words = vec![
                OPEN[flags],
                *bytes.choose(&MODES)?,
                bytes.int_in_range(0..=0x3f)?,
                bytes.arbitrary()?,
            ];
        }
        1 => {
            let family: u16 = *bytes.choose(&[1, 1, 1, 2, 0])?;
            into[..2].copy_from_slice(&family.to_le_bytes());
            let length = path.len().min(108);
            into[2..2 + length].copy_from_slice(&path[..length]);
        }
        2 => words = vec![bytes.int_in_range(0..=9)?, *bytes.choose(&NUMBERS)?, 0, 0x3fff_ffff],
        3 => words = vec![BASE + BUFFER, bytes.int_in_range(0..=70_000)?],
        _ => words = (0..8).map(|_| bytes.arbitrary()).collect::<Result<_>>()?,
    }
    for (word, at) in words.iter().zip((0..).step_by(8)) {
        into[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    let attribute = *bytes.choose(&ATTRIBUTES)?;
    into[128..128 + attribute.len()].copy_from_slice(attribute);
    Ok(())
}

/// A path of known names and of any bytes, absolute or not, without its end now and then.
fn path(bytes: &mut Unstructured<'_>, root: &Path) -> Result<Vec<u8>> {
    let root = root.as_os_str().as_bytes();
    let mut path = match bytes.int_in_range(0..=8)? {
        0..=3 => Vec::new(),
        4 => [root, b"/arena/"].concat(),
        5 => [root, b"/"].concat(),
        6 => [b"/proc/self/root", root, b"/arena/"].concat(),
        7 => b"/proc/self/fd/".to_vec(),
        _ => b"/".to_vec(),
    };
    for index in 0..bytes.int_in_range(0..=6)? {
        if index > 0 {
            path.push(b'/');
        }
        match bytes.int_in_range(0..=19)? {
            0 => path.extend(bytes.arbitrary::<[u8; 4]>()?),
            1 => path.extend(std::iter::repeat_n(b'a', bytes.int_in_range(200..=300)?)),
            2 => path.extend(bytes.int_in_range(0..=40u8)?.to_string().bytes()),
            _ => path.extend(*bytes.choose(&NAMES)?),
        }
    }
    if bytes.ratio(1, 16)? {
        path.resize(SLOT, b'/');
    }
    Ok(path)
}
