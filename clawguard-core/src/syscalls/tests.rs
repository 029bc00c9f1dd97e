//! The table against the kernel's own lists: nothing missing, nothing twice.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::judged::Place;
use super::*;

const X86_64: &str = include_str!("numbers-x86_64.txt");
const AARCH64: &str = include_str!("numbers-aarch64.txt");

/// The kernel's list for one architecture: name and number.
fn kernel(list: &'static str) -> BTreeMap<&'static str, u32> {
    let parse = |line: &'static str| {
        let (number, name) = line.split_once(' ').unwrap();
        (name, number.parse().unwrap())
    };
    list.lines().filter(|line| !line.starts_with('#')).map(parse).collect()
}

fn ours(arch: Arch) -> BTreeMap<&'static str, u32> {
    table().filter_map(|call| Some((call.name, call.number(arch)?))).collect()
}

#[test]
fn the_table_has_every_call_of_the_kernel_and_no_other() {
    assert_eq!(ours(Arch::X86_64), kernel(X86_64));
    assert_eq!(ours(Arch::Aarch64), kernel(AARCH64));
    assert_eq!(kernel(X86_64)["rseq_slice_yield"], 471);
    assert_eq!(kernel(AARCH64)["rseq_slice_yield"], 471);
}

#[test]
fn no_name_and_no_number_has_two_rows() {
    assert_eq!(table().map(|call| call.name).collect::<BTreeSet<_>>().len(), table().count());
    for arch in Arch::ALL {
        assert_eq!(numbers(arch).len(), ours(arch).len(), "{arch}");
    }
}

#[test]
fn the_numbers_are_those_that_this_programs_libc_was_built_with() {
    macro_rules! same {
        ($($name:ident $number:ident)+) => {
            $(assert_eq!(ours(Arch::current())[stringify!($name)], libc::$number as u32);)+
        };
    }
    same!(openat SYS_openat ioctl SYS_ioctl clone SYS_clone unshare SYS_unshare mount SYS_mount
        prlimit64 SYS_prlimit64 seccomp SYS_seccomp openat2 SYS_openat2 mseal SYS_mseal);
}

#[test]
fn a_call_is_refused_either_always_or_on_conditions() {
    for call in table() {
        if let Disposition::Denied(denials) = call.disposition {
            assert!(!denials.is_empty(), "{}", call.name);
            let always = denials.iter().any(|denial| denial.when.is_empty());
            assert!(!always || denials.len() == 1, "{}", call.name);
        }
    }
}

#[test]
fn a_bit_test_names_single_bits_and_an_argument_is_one_of_six() {
    for condition in table()
        .filter_map(|call| match call.disposition {
            Disposition::Denied(denials) => Some(denials),
            Disposition::Free(_) | Disposition::Judged(_) => None,
        })
        .flatten()
        .flat_map(|denial| denial.when)
    {
        assert!(condition.argument.index < 6, "{condition}");
        if let Test::AnyBit(constants) | Test::AnyBitBut(constants) = condition.test {
            assert!(constants.iter().all(|one| one.value.is_power_of_two()), "{condition}");
        }
    }
}

#[test]
fn the_places_of_an_object_lie_in_the_calls_registers() {
    for call in table() {
        let Disposition::Judged(judged) = &call.disposition else { continue };
        for object in judged.objects {
            let arguments = match object.place {
                Place::Path { path, .. } => vec![path],
                Place::At { dirfd, path, .. } => {
                    assert_eq!(path, dirfd + 1, "{}", call.name);
                    vec![dirfd, path]
                }
                Place::Descriptor(fd) => vec![fd],
                Place::Address { socket, address, length } => vec![socket, address, length],
            };
            assert!(arguments.iter().all(|&argument| argument < 6), "{}", call.name);
        }
    }
}

#[test]
fn errno_numbers_are_the_kernels() {
    let numbers = Errno::ALL.map(|errno| errno.number().cast_signed());
    assert_eq!(numbers, [libc::EPERM, libc::ENOSYS, libc::EACCES]);
}
