//! Every limit of the protocol, in one table; both sides check them before they spend memory.

/// Largest mail, content and attachments together, in bytes (the operator's rule: 900 KB a message).
pub const MAIL_BYTES: usize = 900 * 1024;

/// Largest payload: the mail, its signed statement, padding (Padmé adds at most 12 %) and tags, in bytes.
pub const PAYLOAD_BYTES: usize = MAIL_BYTES + MAIL_BYTES / 8 + 64 * 1024;

/// Most correspondents of one mail, the sender's own account not counted.
pub const RECIPIENTS: usize = 16;

/// Most devices of one account.
pub const DEVICES: usize = 16;

/// Longest name of a device, in bytes.
pub const DEVICE_NAME_BYTES: usize = 64;

/// Most predecessors that come with an identity: those that ended last.
pub const PREDECESSORS: usize = 16;

/// Largest sealed part of an archive, in bytes.
pub const ARCHIVE_PART_BYTES: usize = 2 * PAYLOAD_BYTES;

/// Records of a part are gathered until they reach this size, in bytes: one whole mail may pass it.
pub const ARCHIVE_GATHER_BYTES: usize = PAYLOAD_BYTES / 2;

/// Largest message of a channel by which a device is linked, in bytes.
pub const LINK_BYTES: usize = BATCH_BYTES + 16 * 1024;

/// How long the relay keeps what is said in such a channel, in minutes.
pub const LINK_MINUTES: i64 = 15;

/// Most states of one envelope.
pub const STATES: usize = 500;

/// Most messages that one request asks to be wrapped again.
pub const REWRAPS: usize = 500;

/// Most wraps of one deposit: every device of every recipient and of the sender.
pub const WRAPS: usize = (RECIPIENTS + 1) * DEVICES;

/// Largest deposit: payload, wraps (about 1.3 KB each) and header, in bytes.
pub const DEPOSIT_BYTES: usize = PAYLOAD_BYTES + WRAPS * 1_400 + 16 * 1024;

/// Largest JSON body, in bytes.
pub const JSON_BYTES: usize = 64 * 1024;

/// Highest number of a batch, and highest version of a device list: both count up from 1, and stand in columns of every store.
pub const NUMBER: u64 = u32::MAX as u64;

/// Most one-time prekeys of one batch.
pub const PREKEYS: usize = 200;

/// Largest signed identity, certificate, device list or batch root, in bytes.
pub const SIGNED_BYTES: usize = 128 * 1024;

/// Largest upload of a batch, in bytes.
pub const BATCH_BYTES: usize = PREKEYS * 1_300 + SIGNED_BYTES;

/// Most receipts of one envelope.
pub const RECEIPTS: usize = 500;

/// Most entries of one page of a device's sequence.
pub const PAGE_ENTRIES: usize = 64;

/// A page stops growing once its payloads reach this size, in bytes.
pub const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Largest page a client accepts: one more whole payload may pass the bound, in bytes.
pub const PAGE_BYTES_MAX: usize = PAGE_BYTES + DEPOSIT_BYTES;

/// Longest wait of a long poll, in seconds.
pub const POLL_SECONDS: u32 = 30;

/// Life of an access token, in seconds.
pub const TOKEN_SECONDS: i64 = 15 * 60;

/// Life of a challenge, in seconds.
pub const CHALLENGE_SECONDS: i64 = 60;

/// How long the relay keeps mail and repeats its first answer to a deposit, in days.
pub const MAIL_DAYS: i64 = 90;

/// How far the number of a batch may be beyond that of the device's batch before it. A phone counts them one by one; a number
/// at the end of all would leave its device no next one.
pub const BATCH_JUMP: u64 = 1_000;

/// Highest number of the first batch that a relay sees of a device: it may have been put back to a copy from before the device.
pub const FIRST_BATCH: u64 = NUMBER / 2;

/// After how long the sender is told that nobody has retrieved a mail, in days.
pub const WAITING_DAYS: i64 = 3;

/// After how long a device that has not proved itself is suspended, in days.
pub const SILENT_DAYS: i64 = 120;

/// How long a batch of prekeys may be handed out, in days.
pub const BATCH_DAYS: i64 = 30;

/// How long the private half of an unused prekey outlives its batch's not-after date, in days.
pub const PREKEY_GRACE_DAYS: i64 = 95;

/// How long after a device was taken off its account's list what it sent before may come, in days: as long as mail waits, and
/// some for clocks that differ.
pub const REMOVED_DEVICE_DAYS: i64 = MAIL_DAYS + 5;

/// Most entries of a directory search that may be passed over.
pub const SEARCH_SKIP: u32 = 1_000;

/// Most entries a directory search answers with.
pub const SEARCH_ENTRIES: u32 = 50;
