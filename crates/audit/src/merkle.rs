//! Merkle tree hashes and inclusion proofs of RFC 6962 section 2.1 (RFC 9162 keeps them).

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 hash; prints as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    pub const ZERO: Self = Self([0; 32]);

    /// Reads the 64 hexadecimal digits that `Display` writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The hash of one entry. The first byte keeps leaves and inner nodes apart (second preimages).
pub(crate) fn leaf(entry: &[u8]) -> Hash {
    Hash::of(&[&[0x00], entry])
}

/// The Merkle tree hash of the leaves (RFC 6962 section 2.1); of none, the hash of nothing.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(&[]),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The audit path of the leaf at `index`, from the bottom up (RFC 6962 section 2.1.1).
///
/// # Panics
///
/// If there is no such leaf.
pub(crate) fn audit_path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    assert!(index < leaves.len(), "leaf {index} of {}", leaves.len());
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (audit_path(left, index), root(right))
    } else {
        (audit_path(right, index - middle), root(left))
    };
    path.push(sibling);
    path
}

/// The root that a leaf and its audit path lead to (RFC 9162 section 2.1.3.2), or none if the path
/// does not fit a tree of `size` leaves.
pub(crate) fn root_of_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place % 2 == 1 || place == last {
            hash = node(sibling, &hash);
            // A last node without a sibling rises until it has one.
            while place.is_multiple_of(2) && place != 0 {
                place /= 2;
                last /= 2;
            }
        } else {
            hash = node(&hash, sibling);
        }
        place /= 2;
        last /= 2;
    }
    (last == 0).then_some(hash)
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[0x01], &left.0, &right.0])
}

/// The largest power of two smaller than `size`, which is at least two.
fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The entries and roots of the reference test of Certificate Transparency.
    const ENTRIES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn entries() -> Vec<Hash> {
        ENTRIES.iter().map(|entry| leaf(&hex::decode(entry).unwrap())).collect()
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_the_reference_vectors() {
        for (count, expected) in ROOTS.iter().enumerate() {
            assert_eq!(root(&entries()[..count]).to_string(), *expected, "{count} leaves");
        }
    }

    #[test]
    fn audit_paths_are_those_of_the_reference_vectors() {
        let path = |index, size| {
            audit_path(&entries()[..size], index).iter().map(Hash::to_string).collect::<Vec<_>>()
        };
        assert!(path(0, 1).is_empty());
        assert_eq!(
            path(0, 8),
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ]
        );
        assert_eq!(
            path(5, 8),
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
        assert_eq!(
            path(2, 3),
            ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]
        );
        assert_eq!(
            path(1, 5),
            [
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ]
        );
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven_by_its_path_alone() {
        for size in 1..40 {
            let leaves = leaves(size);
            for index in 0..size {
                let path = audit_path(&leaves, index);
                let proven =
                    |place: usize| root_of_path(leaves[index], place as u64, size as u64, &path);
                assert_eq!(proven(index), Some(root(&leaves)));
                for elsewhere in (0..size + 2).filter(|place| *place != index) {
                    assert_ne!(proven(elsewhere), Some(root(&leaves)), "{index} as {elsewhere}");
                }
            }
        }
    }

    #[test]
    fn a_hash_reads_what_it_prints_and_nothing_else() {
        let hash = leaf(b"x");
        assert_eq!(Hash::from_hex(&hash.to_string()), Some(hash));
        assert_eq!(Hash::from_hex("00"), None);
        assert_eq!(Hash::from_hex(&"g".repeat(64)), None);
    }

    proptest! {
        #[test]
        fn a_changed_path_proves_nothing(
            size in 2..600_usize,
            index in any::<proptest::sample::Index>(),
            step in any::<proptest::sample::Index>(),
            bit in 0..256_usize,
        ) {
            let leaves = leaves(size);
            let index = index.index(size);
            let mut path = audit_path(&leaves, index);
            let proven = |path: &[Hash]| {
                root_of_path(leaves[index], index as u64, size as u64, path)
            };
            prop_assert_eq!(proven(&path), Some(root(&leaves)));
            prop_assert_eq!(proven(&path[1..]).filter(|hash| *hash == root(&leaves)), None);
            step.get_mut(&mut path).0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(proven(&path), Some(root(&leaves)));
            path.push(Hash::ZERO);
            prop_assert_eq!(proven(&path), None);
        }
    }
}
