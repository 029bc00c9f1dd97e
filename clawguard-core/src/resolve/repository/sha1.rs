//! The name that git gives to the contents of a file (gitformat-index(5), gitglossary(7), "object identifier").
//!
//! Whoever writes such a name into an index knows the contents, or has seen the name. A collision is somebody's who made
//! both files, and so knew both.

#![forbid(unsafe_code)]

/// Of SHA-1, in bytes.
pub(super) const LENGTH: usize = 20;

const BLOCK: usize = 64;

/// The name of a blob with these contents.
pub(super) fn blob(contents: &[u8]) -> [u8; LENGTH] {
    let mut bytes = format!("blob {}\0", contents.len()).into_bytes();
    bytes.extend_from_slice(contents);
    sha1(bytes)
}

/// FIPS 180-4, section 6.1.
fn sha1(mut bytes: Vec<u8>) -> [u8; LENGTH] {
    let bits = (bytes.len() as u64).wrapping_mul(8);
    bytes.push(0x80);
    while bytes.len() % BLOCK != BLOCK - 8 {
        bytes.push(0);
    }
    bytes.extend_from_slice(&bits.to_be_bytes());
    let start = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let state = bytes.chunks_exact(BLOCK).fold(start, round);
    let mut name = [0; LENGTH];
    for (part, word) in name.chunks_exact_mut(4).zip(state) {
        part.copy_from_slice(&word.to_be_bytes());
    }
    name
}

fn round(state: [u32; 5], block: &[u8]) -> [u32; 5] {
    let mut words = [0u32; 80];
    for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
    }
    for at in 16..80 {
        let mixed = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
        words[at] = mixed.rotate_left(1);
    }
    let [mut a, mut b, mut c, mut d, mut e] = state;
    for (at, word) in words.into_iter().enumerate() {
        let (mixed, constant) = match at / 20 {
            0 => (b & c | !b & d, 0x5a82_7999),
            1 => (b ^ c ^ d, 0x6ed9_eba1),
            2 => (b & c | b & d | c & d, 0x8f1b_bcdc),
            _last => (b ^ c ^ d, 0xca62_c1d6_u32),
        };
        let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e);
        let next = sum.wrapping_add(constant).wrapping_add(word);
        (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
    }
    let added = [a, b, c, d, e];
    std::array::from_fn(|at| state[at].wrapping_add(added[at]))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn contents_have_the_name_that_git_gives_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        for length in [0, 1, 44, 47, 48, 55, 56, 57, 63, 64, 65, 119, 120, 1000, 70_001] {
            let contents: Vec<u8> = (0..length).map(|at: u32| (at * 31 % 251) as u8).collect();
            std::fs::write(&file, &contents).unwrap();
            let said = Command::new("git").arg("hash-object").arg(&file).output().unwrap().stdout;
            let name: String = blob(&contents).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(name, String::from_utf8(said).unwrap().trim(), "{length} bytes");
        }
    }
}
