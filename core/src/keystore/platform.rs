//! A key in the platform's own key store: the Keychain's protected data on Apple's systems, the Keystore on Android.
//! Elsewhere a host may set a default store of `keyring-core`; Linux has none that survives a reboot.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use crate::store::{StoreError, StoreKey};

pub(super) fn load(service: &str, user: &str) -> Result<Option<StoreKey>, StoreError> {
    let secret = match entry(service, user)?.get_secret() {
        Ok(secret) => Zeroizing::new(secret),
        Err(Error::NoEntry) => return Ok(None),
        Err(error) => return Err(refused(&error)),
    };
    let bytes = secret.as_slice().try_into().map_err(|_| StoreError::KeyDamaged)?;
    Ok(Some(StoreKey::from_bytes(bytes)))
}

pub(super) fn save(service: &str, user: &str, key: &StoreKey) -> Result<(), StoreError> {
    if load(service, user)?.is_some() {
        return Err(StoreError::Exists);
    }
    entry(service, user)?
        .set_secret(key.as_bytes())
        .map_err(|error| refused(&error))
}

pub(super) fn erase(service: &str, user: &str) -> Result<(), StoreError> {
    match entry(service, user)?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(refused(&error)),
    }
}

fn entry(service: &str, user: &str) -> Result<Entry, StoreError> {
    let store = match keyring_core::get_default_store() {
        Some(store) => store,
        None => own_store()?,
    };
    store
        .build(service, user, modifiers().as_ref())
        .map_err(|error| refused(&error))
}

#[cfg(target_os = "android")]
fn own_store() -> Result<Arc<CredentialStore>, StoreError> {
    Ok(android_native_keyring_store::Store::new().map_err(|error| refused(&error))?)
}

#[cfg(target_vendor = "apple")]
fn own_store() -> Result<Arc<CredentialStore>, StoreError> {
    Ok(apple_native_keyring_store::protected::Store::new().map_err(|error| refused(&error))?)
}

#[cfg(not(any(target_os = "android", target_vendor = "apple")))]
const fn own_store() -> Result<Arc<CredentialStore>, StoreError> {
    Err(StoreError::KeyPlace)
}

/// A push must be able to open the store behind a locked screen, and no backup may carry the key away.
#[cfg(target_vendor = "apple")]
fn modifiers() -> Option<std::collections::HashMap<&'static str, &'static str>> {
    Some(std::iter::once(("access-policy", "after-first-unlock-this-device-only")).collect())
}

#[cfg(not(target_vendor = "apple"))]
const fn modifiers() -> Option<std::collections::HashMap<&'static str, &'static str>> {
    None
}

fn refused(error: &Error) -> StoreError {
    match error {
        Error::BadDataFormat(..) | Error::BadEncoding(_) => StoreError::KeyDamaged,
        _ => StoreError::KeyPlace,
    }
}
