//! The keys that sign seals, and the public keys that check them.

use std::{collections::BTreeMap, fmt};

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::{Error, merkle::Hash};

/// Names a key: the first 8 bytes of the public key's SHA-256, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(String);

/// An ed25519 key that signs heads. `Debug` shows its public half only.
pub struct SealingKey {
    key: SigningKey,
    public: PublicKey,
}

/// The public half of a [`SealingKey`].
#[derive(Clone, Debug)]
pub struct PublicKey {
    id: KeyId,
    key: VerifyingKey,
}

/// Every key that ever sealed; retired ones stay, or their seals can no longer be checked.
#[derive(Clone, Debug, Default)]
pub struct PublicKeys(BTreeMap<KeyId, PublicKey>);

impl SealingKey {
    /// The key that grows from 32 secret bytes.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        let public = PublicKey::of(key.verifying_key());
        Self { key, public }
    }

    pub fn id(&self) -> &KeyId {
        &self.public.id
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, head: &Hash) -> [u8; 64] {
        self.key.sign(&head.0).to_bytes()
    }
}

impl PublicKey {
    /// Reads the 32 bytes of RFC 8032 section 5.1.5.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        VerifyingKey::from_bytes(bytes).map(Self::of).map_err(|_| Error::InvalidKey)
    }

    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// Strict: refuses the malleable signatures and weak keys that RFC 8032 leaves open.
    pub(crate) fn signed(&self, head: &Hash, signature: &[u8; 64]) -> bool {
        self.key.verify_strict(&head.0, &Signature::from_bytes(signature)).is_ok()
    }

    fn of(key: VerifyingKey) -> Self {
        let hash = Hash::of(&[key.as_bytes()]);
        Self { id: KeyId(hex::encode(&hash.0[..8])), key }
    }
}

impl PublicKeys {
    pub fn get(&self, id: &KeyId) -> Option<&PublicKey> {
        self.0.get(id)
    }
}

impl FromIterator<PublicKey> for PublicKeys {
    fn from_iter<I: IntoIterator<Item = PublicKey>>(keys: I) -> Self {
        Self(keys.into_iter().map(|key| (key.id.clone(), key)).collect())
    }
}

impl KeyId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whatever a seal names; a name that no key has is found out when the key is looked up.
    pub(crate) fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingKey").field(&self.public.id).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_key_of_a_seed_is_that_of_rfc_8032_test_1() {
        let seed =
            Hash::from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
                .unwrap();
        let key = SealingKey::from_seed(seed.0);
        assert_eq!(
            hex::encode(key.public().to_bytes()),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        assert_eq!(key.id().as_str(), "21fe31dfa154a261");
    }

    #[test]
    fn a_signature_holds_for_its_head_and_key_only() {
        let (key, other) = (SealingKey::from_seed([1; 32]), SealingKey::from_seed([2; 32]));
        let (head, elsewhere) = (Hash([3; 32]), Hash([4; 32]));
        let signature = key.sign(&head);
        assert!(key.public().signed(&head, &signature));
        assert!(!key.public().signed(&elsewhere, &signature));
        assert!(!other.public().signed(&head, &signature));
    }

    #[test]
    fn printing_a_sealing_key_does_not_show_its_secret() {
        let key = SealingKey::from_seed([1; 32]);
        assert_eq!(format!("{key:?}"), format!("SealingKey({:?})", key.id()));
    }
}
