/// `O_PATH`, which the C library declares only on request; the same number on every architecture of Linux.
let O_PATH: CInt = 0x20_0000
