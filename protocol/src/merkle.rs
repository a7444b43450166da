//! Merkle trees as RFC 6962 §2.1 hashes them, over the prekeys of one batch.

use crate::ids::Digest;

/// The root over `leaves`.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The audit path of the leaf at `index`, nearest sibling first; `None` when there is no such leaf.
#[must_use]
pub fn path(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path_in_half, sibling) = match index.checked_sub(middle) {
        None => (path(left, index)?, root(right)),
        Some(index) => (path(right, index)?, root(left)),
    };
    path_in_half.push(sibling);
    Some(path_in_half)
}

/// The root that `leaf` at `index` of `count` leaves and its `path` lead to; `None` when the path does not fit that place.
#[must_use]
pub fn root_of_path(leaf: Digest, index: usize, count: usize, path: &[Digest]) -> Option<Digest> {
    if index >= count {
        return None;
    }
    if count == 1 {
        return path.is_empty().then_some(leaf);
    }
    let (sibling, rest) = path.split_last()?;
    let middle = split(count);
    match index.checked_sub(middle) {
        None => Some(node(&root_of_path(leaf, index, middle, rest)?, sibling)),
        Some(index) => {
            let right = root_of_path(leaf, index, count.checked_sub(middle)?, rest)?;
            Some(node(sibling, &right))
        }
    }
}

/// The hash of a leaf that holds `content`.
#[must_use]
pub fn leaf(content: &[u8]) -> Digest {
    Digest::of(&[&[0], content])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: usize) -> usize {
    count
        .saturating_sub(1)
        .checked_ilog2()
        .and_then(|bits| 1_usize.checked_shl(bits))
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_of_rfc_6962() {
        // The empty tree and the test tree of Certificate Transparency's reference implementation.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(root(&[]).to_string(), empty);
        assert_eq!(
            leaf(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let two = [leaf(b""), leaf(&[0])];
        assert_eq!(
            root(&two).to_string(),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
        );
    }

    #[test]
    fn a_path_leads_to_the_root_from_its_place_alone() {
        for count in 1..20_usize {
            let leaves: Vec<_> = (0..count).map(|i| leaf(&i.to_be_bytes())).collect();
            for index in 0..count {
                let path = path(&leaves, index).unwrap();
                assert_eq!(root_of_path(leaves[index], index, count, &path), Some(root(&leaves)));
                assert_ne!(root_of_path(leaf(b"x"), index, count, &path), Some(root(&leaves)));
                for other in (0..count).filter(|other| *other != index) {
                    assert_ne!(root_of_path(leaves[index], other, count, &path), Some(root(&leaves)));
                }
            }
        }
    }
}
