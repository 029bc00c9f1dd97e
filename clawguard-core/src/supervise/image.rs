//! What the kernel opens besides the file that it executes: a script's interpreter (fs/binfmt_script.c), a program's
//! loader (fs/binfmt_elf.c).
//!
//! Read as the kernel reads it. What is doubtful is an error: a file that the kernel might understand otherwise must
//! not be executed.

#![forbid(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::io::Errno;

/// `BINPRM_BUF_SIZE`: what the kernel looks at to tell what a file is.
const HEAD: usize = 256;

/// The program headers of one file, in bytes (`load_elf_phdrs`).
const HEADERS: usize = 65536;

/// `PT_INTERP` of elf(5).
const PT_INTERP: u32 = 3;

/// The longest path of a loader, with its NUL byte.
const PATH_MAX: u64 = 4096;

/// What runs when a file is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// Another file, with this one as its argument.
    Script(Vec<u8>),
    /// The file itself, with these loaders. There is one at most, but two if the file can be read as one of 32 bits and
    /// as one of 64.
    Program(Vec<Vec<u8>>),
    /// Nothing that the kernel knows by itself.
    Unknown,
}

/// The path of what the kernel starts to run this file: a script's interpreter, or a program's loader. None if the file
/// runs by itself, or cannot be read.
#[must_use]
pub fn interpreter_of(file: &File) -> Option<Vec<u8>> {
    match read(file).ok()? {
        Image::Script(path) => Some(path),
        Image::Program(loaders) => loaders.into_iter().next(),
        Image::Unknown => None,
    }
}

/// What this file is.
pub(super) fn read(file: &File) -> Result<Image, Errno> {
    // The kernel sees zeros behind a short file.
    let mut head = [0u8; HEAD];
    let mut known = 0;
    while known < HEAD {
        match file.read_at(&mut head[known..], known as u64) {
            Ok(0) => break,
            Ok(read) => known += read,
            Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }
    match head {
        [b'#', b'!', ..] => script(&head[2..]).map(Image::Script),
        [0x7f, b'E', b'L', b'F', ..] => {
            let loaders = [Layout::Wide, Layout::Narrow].map(|layout| layout.loader(file, &head));
            let [wide, narrow] = loaders;
            Ok(Image::Program([wide?, narrow?].into_iter().flatten().collect()))
        }
        _ => Ok(Image::Unknown),
    }
}

/// The interpreter's path in what follows `#!`.
fn script(line: &[u8]) -> Result<Vec<u8>, Errno> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = line.iter().position(|byte| !is_blank(byte)).ok_or(Errno::NOEXEC)?;
    let path = &line[start..];
    let ends = |byte: &u8| is_blank(byte) || matches!(byte, b'\n' | 0);
    // A path that fills the kernel's buffer may be cut short: it takes none.
    let end = path.iter().position(ends).ok_or(Errno::NOEXEC)?;
    match (end, path[0]) {
        // The kernel takes the empty path for the working directory, which cannot be executed.
        (0, 0) => Err(Errno::ACCESS),
        (0, _) => Err(Errno::NOEXEC),
        _ => Ok(path[..end].to_vec()),
    }
}

/// Where an ELF file's headers have what is looked for (elf(5)), little-endian. The kernel does not look at the class
/// that the file claims: it tries the layout of each architecture that it can run.
#[derive(Clone, Copy)]
enum Layout {
    Wide,
    Narrow,
}

impl Layout {
    /// The path in `PT_INTERP`, if this layout fits the file.
    fn loader(self, file: &File, head: &[u8; HEAD]) -> Result<Option<Vec<u8>>, Errno> {
        let (phoff, phentsize, phnum, size) = match self {
            Layout::Wide => (32, 54, 56, 56),
            Layout::Narrow => (28, 42, 44, 32),
        };
        let count = usize::from(half(head, phnum));
        if usize::from(half(head, phentsize)) != size || count == 0 || count * size > HEADERS {
            return Ok(None);
        }
        let mut headers = vec![0u8; count * size];
        if file.read_exact_at(&mut headers, self.word(head, phoff)).is_err() {
            return Ok(None);
        }
        let mut all = headers.chunks_exact(size);
        let Some(header) = all.find(|header| quarter(header, 0) == PT_INTERP) else {
            return Ok(None);
        };
        let (offset, length) = match self {
            Layout::Wide => (self.word(header, 8), self.word(header, 32)),
            Layout::Narrow => (self.word(header, 4), self.word(header, 16)),
        };
        if !(2..=PATH_MAX).contains(&length) {
            return Err(Errno::NOEXEC);
        }
        let mut path = vec![0u8; usize::try_from(length).map_err(|_| Errno::NOEXEC)?];
        file.read_exact_at(&mut path, offset).map_err(|_| Errno::NOEXEC)?;
        if path.last() != Some(&0) {
            return Err(Errno::NOEXEC);
        }
        path.truncate(path.iter().position(|&byte| byte == 0).unwrap_or(0));
        if path.is_empty() { Err(Errno::NOENT) } else { Ok(Some(path)) }
    }

    /// An address or an offset.
    fn word(self, bytes: &[u8], at: usize) -> u64 {
        let low = u64::from(quarter(bytes, at));
        match self {
            Layout::Wide => low | u64::from(quarter(bytes, at + 4)) << 32,
            Layout::Narrow => low,
        }
    }
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn quarter(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn image(bytes: &[u8]) -> Result<Image, Errno> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        read(&file)
    }

    fn interpreter(line: &str) -> Result<String, Errno> {
        match image(line.as_bytes())? {
            Image::Script(path) => Ok(String::from_utf8(path).unwrap()),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_first_line_is_read_as_the_kernel_reads_it() {
        for line in
            ["#!/bin/sh\n", "#! \t/bin/sh -x\n", "#!/bin/sh", "#!/bin/sh\0/x\n", "#!/bin/sh\t"]
        {
            assert_eq!(interpreter(line), Ok("/bin/sh".to_owned()), "{line:?}");
        }
        assert_eq!(interpreter("#!p rest\n"), Ok("p".to_owned()));
        let long = "x".repeat(300);
        for line in ["#!\n", "#! \t\n", &format!("#!{long}\n"), &format!("#!{}", " ".repeat(300))] {
            assert_eq!(interpreter(line), Err(Errno::NOEXEC), "{line:?}");
        }
        for line in ["#!", "#! ", "#!\0p\n"] {
            assert_eq!(interpreter(line), Err(Errno::ACCESS), "{line:?}");
        }
        assert_eq!(image(b""), Ok(Image::Unknown));
        assert_eq!(image(b"plain text"), Ok(Image::Unknown));
    }

    /// An ELF file with `PT_INTERP` behind so many other headers.
    fn program(others: u16, is_wide: bool, path: &[u8]) -> Vec<u8> {
        let (header, size) = if is_wide { (64, 56) } else { (52, 32) };
        let count = others + 1;
        let at = header + usize::from(count) * size;
        let mut bytes = vec![0u8; at];
        bytes[..4].copy_from_slice(b"\x7fELF");
        let mut put = |at: usize, value: u64, length: usize| {
            bytes[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
        };
        let word = if is_wide { 8 } else { 4 };
        put(if is_wide { 32 } else { 28 }, header as u64, word);
        put(if is_wide { 54 } else { 42 }, size as u64, 2);
        put(if is_wide { 56 } else { 44 }, count.into(), 2);
        let last = header + usize::from(others) * size;
        put(last, 3, 4);
        put(last + word, at as u64, word);
        put(last + if is_wide { 32 } else { 16 }, path.len() as u64, word);
        bytes.extend_from_slice(path);
        bytes
    }

    #[test]
    fn the_loader_is_found_behind_as_many_headers_as_the_kernel_reads() {
        for (others, is_wide) in [(0, true), (130, true), (1169, true), (0, false), (2047, false)] {
            let found = image(&program(others, is_wide, b"/lib/ld.so\0"));
            assert_eq!(found, Ok(Image::Program(vec![b"/lib/ld.so".to_vec()])), "{others}");
        }
        // More than 64 KiB of headers: the kernel takes no such file.
        for (others, is_wide) in [(1170, true), (2048, false)] {
            let found = image(&program(others, is_wide, b"/lib/ld.so\0"));
            assert_eq!(found, Ok(Image::Program(Vec::new())), "{others}");
        }
    }

    #[test]
    fn a_loader_whose_path_is_no_path_is_an_error() {
        for path in [&b"/lib/ld.so"[..], b"x", b""] {
            assert_eq!(image(&program(0, true, path)), Err(Errno::NOEXEC), "{path:?}");
        }
        assert_eq!(image(&program(0, true, &[0, 0])), Err(Errno::NOENT));
        assert_eq!(image(&program(0, true, &[b'x'; 5000])), Err(Errno::NOEXEC));
    }

    #[test]
    fn an_ordinary_program_has_one_loader() {
        let own = File::open("/proc/self/exe").unwrap();
        let Ok(Image::Program(loaders)) = read(&own) else { panic!("no program") };
        assert!(loaders.len() <= 1, "{loaders:?}");
    }
}
