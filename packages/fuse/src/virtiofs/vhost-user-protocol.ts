/**
 * Numbers of the vhost-user protocol (docs/interop/vhost-user.rst of QEMU) and of virtio 1.2, as far as they are used.
 *
 * The front-end is the virtual machine monitor, which shares the memory of its guest; the back-end is this side.
 */

/** Requests of the front-end. */
export const REQUEST = {
  GET_FEATURES: 1,
  SET_FEATURES: 2,
  SET_OWNER: 3,
  RESET_OWNER: 4,
  SET_MEM_TABLE: 5,
  SET_VRING_NUM: 8,
  SET_VRING_ADDR: 9,
  SET_VRING_BASE: 10,
  GET_VRING_BASE: 11,
  SET_VRING_KICK: 12,
  SET_VRING_CALL: 13,
  SET_VRING_ERR: 14,
  GET_PROTOCOL_FEATURES: 15,
  SET_PROTOCOL_FEATURES: 16,
  GET_QUEUE_NUM: 17,
  SET_VRING_ENABLE: 18,
  GET_MAX_MEM_SLOTS: 36,
  ADD_MEM_REG: 37,
  REM_MEM_REG: 38,
} as const;

/** Bits in the flags of a message: the version of the protocol in the lowest two. */
export const MESSAGE_FLAG = {
  VERSION_MASK: 3,
  VERSION: 1,
  REPLY: 4,
  NEED_REPLY: 8,
} as const;

/** Features of the device, in SET_FEATURES: bits 28, 29, 30 and 32. */
export const FEATURE = {
  INDIRECT_DESC: 0x1000_0000n,
  EVENT_IDX: 0x2000_0000n,
  PROTOCOL_FEATURES: 0x4000_0000n,
  VERSION_1: 0x1_0000_0000n,
} as const;

/** Features of the protocol, in SET_PROTOCOL_FEATURES: bits 0, 3 and 15. */
export const PROTOCOL_FEATURE = {
  MQ: 0x1n,
  REPLY_ACK: 0x8n,
  CONFIGURE_MEM_SLOTS: 0x8000n,
} as const;

/**
 * What is offered to the guest. Logging of dirty memory (VHOST_F_LOG_ALL, bit 26) is not: it is for moving a
 * running guest to another machine, where nobody would know what its kernel remembers of this one.
 */
export const OFFERED_FEATURES: bigint =
  FEATURE.VERSION_1 | FEATURE.PROTOCOL_FEATURES | FEATURE.INDIRECT_DESC | FEATURE.EVENT_IDX;

/** What is offered to the front-end. */
export const OFFERED_PROTOCOL_FEATURES: bigint =
  PROTOCOL_FEATURE.MQ | PROTOCOL_FEATURE.REPLY_ACK | PROTOCOL_FEATURE.CONFIGURE_MEM_SLOTS;

/** In SET_VRING_KICK, CALL and ERR: which queue, and that no descriptor comes with the message. */
export const VRING_INDEX_MASK: bigint = 0xffn;
/** See {@link VRING_INDEX_MASK}. */
export const VRING_NO_FD: bigint = 0x100n;

/** In the flags of SET_VRING_ADDR: writes into the used ring are to be logged. */
export const VRING_ADDRESS_LOG = 1;

/** Regions that SET_MEM_TABLE names at most (VHOST_MEMORY_BASELINE_NREGIONS). */
export const MAX_TABLE_REGIONS = 8;

/** Regions that ADD_MEM_REG may add up to. Memory of a guest is looked up region by region. */
export const MAX_MEMORY_SLOTS = 64;

/** Queues that a device may have: the one for what is urgent (forget), and those for requests. */
export const MAX_QUEUES = 17;

/** Descriptors in a queue at most (virtio 1.2, 2.7.1). */
export const MAX_QUEUE_SIZE = 32768;

/** Bytes before the payload of a message. */
export const HEADER_LENGTH = 12;

/** Bytes after the header of a message; SET_MEM_TABLE has the most. */
export const MAX_PAYLOAD_LENGTH: number = 8 + MAX_TABLE_REGIONS * 32;

/** Descriptors of files that come with one message at most: one for each region of SET_MEM_TABLE. */
export const MAX_MESSAGE_FDS = 8;
