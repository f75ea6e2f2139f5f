// Status codes of FastRPC. Code on the DSP adds an offset, so that a host can tell who failed.
#ifndef AEESTDERR_H
#define AEESTDERR_H

#define DSP_AEE_EOFFSET 0x80000400

#if defined(__hexagon__)
#define AEE_EOFFSET DSP_AEE_EOFFSET
#else
#define AEE_EOFFSET 0
#endif

#define AEE_SUCCESS 0

// These four have no offset on the DSP either.
#define AEE_ENOSUCH 39
#define AEE_EINTERRUPTED 46
#define AEE_ECONNRESET 104
#define AEE_EWOULDBLOCK 516

#define AEE_EFAILED (AEE_EOFFSET + 0x001)  // general failure
#define AEE_ENOMEMORY (AEE_EOFFSET + 0x002)  // out of memory
#define AEE_ECLASSNOTSUPPORT (AEE_EOFFSET + 0x003)  // class not supported
#define AEE_EVERSIONNOTSUPPORT (AEE_EOFFSET + 0x004)  // version not supported
#define AEE_EALREADYLOADED (AEE_EOFFSET + 0x005)  // already loaded
#define AEE_EUNABLETOLOAD (AEE_EOFFSET + 0x006)  // the module could not be loaded
#define AEE_EUNABLETOUNLOAD (AEE_EOFFSET + 0x007)  // the module could not be unloaded
#define AEE_EALARMPENDING (AEE_EOFFSET + 0x008)  // an alarm is pending
#define AEE_EINVALIDTIME (AEE_EOFFSET + 0x009)  // invalid time
#define AEE_EBADCLASS (AEE_EOFFSET + 0x00a)  // invalid class
#define AEE_EBADMETRIC (AEE_EOFFSET + 0x00b)  // invalid metric
#define AEE_EEXPIRED (AEE_EOFFSET + 0x00c)  // timed out
#define AEE_EBADSTATE (AEE_EOFFSET + 0x00d)  // the process or thread is in the wrong state
#define AEE_EBADPARM (AEE_EOFFSET + 0x00e)  // invalid parameter
#define AEE_ESCHEMENOTSUPPORTED (AEE_EOFFSET + 0x00f)  // URI scheme not supported
#define AEE_EBADITEM (AEE_EOFFSET + 0x010)  // value out of range
#define AEE_EINVALIDFORMAT (AEE_EOFFSET + 0x011)  // invalid format
#define AEE_EINCOMPLETEITEM (AEE_EOFFSET + 0x012)  // item is incomplete
#define AEE_ENOPERSISTMEMORY (AEE_EOFFSET + 0x013)  // out of persistent memory
#define AEE_EUNSUPPORTED (AEE_EOFFSET + 0x014)  // not implemented
#define AEE_EPRIVLEVEL (AEE_EOFFSET + 0x015)  // not enough privileges
#define AEE_ERESOURCENOTFOUND (AEE_EOFFSET + 0x016)  // resource not found
#define AEE_EREENTERED (AEE_EOFFSET + 0x017)  // called again before it returned
#define AEE_EBADTASK (AEE_EOFFSET + 0x018)  // called from the wrong task
#define AEE_EALLOCATED (AEE_EOFFSET + 0x019)  // memory was left allocated
#define AEE_EALREADY (AEE_EOFFSET + 0x01a)  // already in progress or already done
#define AEE_EADSAUTHBAD (AEE_EOFFSET + 0x01b)  // authorization failed
#define AEE_ENEEDSERVICEPROG (AEE_EOFFSET + 0x01c)  // service programming needed
#define AEE_EMEMPTR (AEE_EOFFSET + 0x01d)  // bad memory pointer
#define AEE_EHEAP (AEE_EOFFSET + 0x01e)  // internal heap error
#define AEE_EIDLE (AEE_EOFFSET + 0x01f)  // idle
#define AEE_EITEMBUSY (AEE_EOFFSET + 0x020)  // busy
#define AEE_EBADSID (AEE_EOFFSET + 0x021)  // invalid subscriber
#define AEE_ENOTYPE (AEE_EOFFSET + 0x022)  // no type found
#define AEE_ENEEDMORE (AEE_EOFFSET + 0x023)  // more data needed
#define AEE_EADSCAPS (AEE_EOFFSET + 0x024)  // capabilities do not match
#define AEE_EBADSHUTDOWN (AEE_EOFFSET + 0x025)  // was not closed properly
#define AEE_EBUFFERTOOSMALL (AEE_EOFFSET + 0x026)  // the buffer is too small
#define AEE_EACKPENDING (AEE_EOFFSET + 0x028)  // an acknowledgement is pending
#define AEE_ENOTOWNER (AEE_EOFFSET + 0x029)  // not the owner
#define AEE_EINVALIDITEM (AEE_EOFFSET + 0x02a)  // invalid item
#define AEE_ENOTALLOWED (AEE_EOFFSET + 0x02b)  // not allowed
#define AEE_EINVHANDLE (AEE_EOFFSET + 0x02c)  // invalid handle
#define AEE_EOUTOFHANDLES (AEE_EOFFSET + 0x02d)  // no handle left
#define AEE_ENOMORE (AEE_EOFFSET + 0x02f)  // no more items
#define AEE_ECPUEXCEPTION (AEE_EOFFSET + 0x030)  // a processor exception occurred
#define AEE_EREADONLY (AEE_EOFFSET + 0x031)  // read only
#define AEE_EINVALIDMSG (AEE_EOFFSET + 0x032)  // invalid message from the host
#define AEE_EINVALIDTHREAD (AEE_EOFFSET + 0x033)  // invalid thread
#define AEE_EINVALIDPROCESS (AEE_EOFFSET + 0x034)  // invalid process
#define AEE_EINVALIDFILENAME (AEE_EOFFSET + 0x035)  // invalid file name
#define AEE_EINVALIDDIGESTSIZE (AEE_EOFFSET + 0x036)  // invalid digest size
#define AEE_EINVALIDSEGS (AEE_EOFFSET + 0x037)  // invalid segments
#define AEE_EINVALIDSIGNATURE (AEE_EOFFSET + 0x038)  // invalid signature
#define AEE_EINVALIDDOMAIN (AEE_EOFFSET + 0x039)  // invalid domain
#define AEE_EINVALIDFD (AEE_EOFFSET + 0x03a)  // invalid file descriptor
#define AEE_EINVALIDDEVICE (AEE_EOFFSET + 0x03b)  // the device node could not be opened
#define AEE_EINVALIDMODE (AEE_EOFFSET + 0x03c)  // invalid mode
#define AEE_EINVALIDPROCNAME (AEE_EOFFSET + 0x03d)  // invalid process name
#define AEE_ENOSUCHMOD (AEE_EOFFSET + 0x03e)  // no such module
#define AEE_ENOSUCHINSTANCE (AEE_EOFFSET + 0x03f)  // no such instance
#define AEE_ENOSUCHTHREAD (AEE_EOFFSET + 0x040)  // no such thread
#define AEE_ENOSUCHPROCESS (AEE_EOFFSET + 0x041)  // no such process
#define AEE_ENOSUCHSYMBOL (AEE_EOFFSET + 0x042)  // no such symbol in the module
#define AEE_ENOSUCHDEVICE (AEE_EOFFSET + 0x043)  // no such device
#define AEE_ENOSUCHPROP (AEE_EOFFSET + 0x044)  // no such property
#define AEE_ENOSUCHFILE (AEE_EOFFSET + 0x045)  // no such file
#define AEE_ENOSUCHHANDLE (AEE_EOFFSET + 0x046)  // no such handle
#define AEE_ENOSUCHSTREAM (AEE_EOFFSET + 0x047)  // no such stream
#define AEE_ENOSUCHMAP (AEE_EOFFSET + 0x048)  // the address is not mapped on the DSP
#define AEE_ENOSUCHREGISTER (AEE_EOFFSET + 0x049)  // no such register
#define AEE_ENOSUCHCLIENT (AEE_EOFFSET + 0x04a)  // no such driver client
#define AEE_EBADDOMAIN (AEE_EOFFSET + 0x04b)  // the domain is not initialized
#define AEE_EBADOFFSET (AEE_EOFFSET + 0x04c)  // bad offset
#define AEE_EBADSIZE (AEE_EOFFSET + 0x04d)  // bad size
#define AEE_EBADPERMS (AEE_EOFFSET + 0x04e)  // no permission for the file, mapping or memory
#define AEE_EBADFD (AEE_EOFFSET + 0x04f)  // bad file descriptor
#define AEE_EBADPID (AEE_EOFFSET + 0x050)  // bad process identifier
#define AEE_EBADTID (AEE_EOFFSET + 0x051)  // bad thread identifier
#define AEE_EBADELF (AEE_EOFFSET + 0x052)  // bad ELF file
#define AEE_EBADASID (AEE_EOFFSET + 0x053)  // bad address space
#define AEE_EBADCONTEXT (AEE_EOFFSET + 0x054)  // bad context
#define AEE_EBADMEMALIGN (AEE_EOFFSET + 0x055)  // bad memory alignment
#define AEE_EIOCTL (AEE_EOFFSET + 0x056)  // the ioctl failed
#define AEE_EFOPEN (AEE_EOFFSET + 0x057)  // the file or device could not be opened
#define AEE_EFGETS (AEE_EOFFSET + 0x058)  // reading a line failed
#define AEE_EFFLUSH (AEE_EOFFSET + 0x059)  // flushing a file failed
#define AEE_EFCLOSE (AEE_EOFFSET + 0x05a)  // closing a file failed
#define AEE_EEOF (AEE_EOFFSET + 0x05b)  // end of file
#define AEE_EFREAD (AEE_EOFFSET + 0x05c)  // reading a file failed
#define AEE_EFWRITE (AEE_EOFFSET + 0x05d)  // writing a file failed
#define AEE_EFGETPOS (AEE_EOFFSET + 0x05e)  // getting the file position failed
#define AEE_EFSETPOS (AEE_EOFFSET + 0x05f)  // setting the file position failed
#define AEE_EFTELL (AEE_EOFFSET + 0x060)  // telling the file position failed
#define AEE_EFSEEK (AEE_EOFFSET + 0x061)  // seeking in a file failed
#define AEE_EFLEN (AEE_EOFFSET + 0x062)  // the file is longer than expected
#define AEE_EGETENV (AEE_EOFFSET + 0x063)  // reading an environment variable failed
#define AEE_ESETENV (AEE_EOFFSET + 0x064)  // setting an environment variable failed
#define AEE_EMMAP (AEE_EOFFSET + 0x065)  // mapping memory failed
#define AEE_EIONMAP (AEE_EOFFSET + 0x066)  // mapping an ION buffer failed
#define AEE_EIONALLOC (AEE_EOFFSET + 0x067)  // allocating an ION buffer failed
#define AEE_ENORPCMEMORY (AEE_EOFFSET + 0x068)  // allocating shared memory failed
#define AEE_ENOROOTOFTRUST (AEE_EOFFSET + 0x069)  // no root of trust
#define AEE_ENOTLOCKED (AEE_EOFFSET + 0x06a)  // not locked
#define AEE_ENOTINITIALIZED (AEE_EOFFSET + 0x06b)  // not initialized
#define AEE_EUNSUPPORTEDAPI (AEE_EOFFSET + 0x06c)  // request not supported on this platform
#define AEE_EUNPACK (AEE_EOFFSET + 0x06d)  // unpacking a command failed
#define AEE_EPOLL (AEE_EOFFSET + 0x06e)  // polling failed
#define AEE_EEVENTREAD (AEE_EOFFSET + 0x06f)  // reading an event failed
#define AEE_EMAXBUFS (AEE_EOFFSET + 0x070)  // too many buffers
#define AEE_EINVARGS (AEE_EOFFSET + 0x071)  // invalid arguments
#define AEE_ECONNREFUSED (AEE_EOFFSET + 0x072)  // the session could not be made
#define AEE_EUNSIGNEDMOD (AEE_EOFFSET + 0x081)  // the module is not signed for this device
#define AEE_EINVALIDHASH (AEE_EOFFSET + 0x082)  // the module's hash is not signed for this device
#define AEE_EBADVA (AEE_EOFFSET + 0x083)  // bad virtual address
#define AEE_ENOSUCHJOB (AEE_EOFFSET + 0x084)  // no such job or group
#define AEE_EBADMAPREFCNT (AEE_EOFFSET + 0x085)  // bad reference count of a mapping
#define AEE_EBADPAGECNT (AEE_EOFFSET + 0x086)  // bad page count
#define AEE_EMAPALREADYPRESENT (AEE_EOFFSET + 0x087)  // already mapped
#define AEE_ENOFREESECTION (AEE_EOFFSET + 0x088)  // no free section
#define AEE_U2GCLIENT_OPEN (AEE_EOFFSET + 0x089)  // the user to guest client could not be opened
#define AEE_ENOSESSION (AEE_EOFFSET + 0x08a)  // no session left
#define AEE_EGLINKBADPACKET (AEE_EOFFSET + 0x101)  // link packet of invalid size
#define AEE_EGLINKALREADYOPEN (AEE_EOFFSET + 0x102)  // link port already open
#define AEE_EGLINKOPENFAILED (AEE_EOFFSET + 0x103)  // link port could not be opened
#define AEE_EGLINKWRITE (AEE_EOFFSET + 0x104)  // writing to the link failed
#define AEE_EGLINKREGISTER (AEE_EOFFSET + 0x105)  // registering with the link failed
#define AEE_EDALDEVATTACH (AEE_EOFFSET + 0x121)  // device layer: attach failed
#define AEE_EDALINTREGISTER (AEE_EOFFSET + 0x122)  // device layer: interrupt not registered
#define AEE_EDALINTUNREGISTER (AEE_EOFFSET + 0x123)  // device layer: interrupt not unregistered
#define AEE_EDALGETPROP (AEE_EOFFSET + 0x124)  // device layer: no property
#define AEE_EDALGETVAL (AEE_EOFFSET + 0x125)  // device layer: no property value
#define AEE_EDCVSREQUEST (AEE_EOFFSET + 0x126)  // clock request failed
#define AEE_EQURTREGIONCREATE (AEE_EOFFSET + 0x141)  // QuRT: region not created
#define AEE_EQURTCACHECLEAN (AEE_EOFFSET + 0x142)  // QuRT: cache not cleaned
#define AEE_EQURTREGIONGETATTR (AEE_EOFFSET + 0x143)  // QuRT: no region attribute
#define AEE_EQURTBADREGIONPERMS (AEE_EOFFSET + 0x144)  // QuRT: bad region permissions
#define AEE_EQURTMEMPOOLADD (AEE_EOFFSET + 0x145)  // QuRT: memory pool not extended
#define AEE_EQURTREGISTERDEV (AEE_EOFFSET + 0x146)  // QuRT: device not registered
#define AEE_EQURTMEMPOOLCREATE (AEE_EOFFSET + 0x147)  // QuRT: memory pool not created
#define AEE_EQURTGETVA (AEE_EOFFSET + 0x148)  // QuRT: no virtual address
#define AEE_EQURTREGIONDELETE (AEE_EOFFSET + 0x149)  // QuRT: region not deleted
#define AEE_EQURTMEMPOOLATTACH (AEE_EOFFSET + 0x14a)  // QuRT: memory pool not attached
#define AEE_EQURTTHREADCREATE (AEE_EOFFSET + 0x14b)  // QuRT: thread not created
#define AEE_EQURTCOPYTOUSER (AEE_EOFFSET + 0x14c)  // QuRT: copy to user memory failed
#define AEE_EQURTMEMMAPCREATE (AEE_EOFFSET + 0x14d)  // QuRT: mapping not created
#define AEE_EQURTINVHANDLE (AEE_EOFFSET + 0x14e)  // QuRT: invalid client handle
#define AEE_EQURTBADASID (AEE_EOFFSET + 0x14f)  // QuRT: the protection domain could not be made
#define AEE_EQURTOPENFAILED (AEE_EOFFSET + 0x150)  // QuRT: driver not opened
#define AEE_EQURTCOPYFROMUSER (AEE_EOFFSET + 0x151)  // QuRT: copy from user memory failed
#define AEE_EQURTLINELOCK (AEE_EOFFSET + 0x152)  // QuRT: cache lines not locked
#define AEE_EQURTQDIDEFMETHOD (AEE_EOFFSET + 0x153)  // QuRT: default driver method failed
#define AEE_EQURTCREATEHANDLE (AEE_EOFFSET + 0x154)  // QuRT: handle not created
#define AEE_EQURTWRITABLEMEM (AEE_EOFFSET + 0x155)  // QuRT: migration with writable memory
#define AEE_EQURTTHREADCREATEDEF (AEE_EOFFSET + 0x156)  // QuRT: default thread not created
#define AEE_EQURTLOOKUPVA (AEE_EOFFSET + 0x157)  // QuRT: virtual address not found
#define AEE_EQURTLOOKUPPA (AEE_EOFFSET + 0x158)  // QuRT: physical address not found
#define AEE_EQURTMIGRATESECURE (AEE_EOFFSET + 0x159)  // QuRT: migration to secure memory failed
#define AEE_EQURTQDIOPEN (AEE_EOFFSET + 0x160)  // QuRT: driver interface not opened
#define AEE_EQURTMAPREMOVE (AEE_EOFFSET + 0x161)  // QuRT: mapping not removed
#define AEE_EQURTQDICLOSE (AEE_EOFFSET + 0x162)  // QuRT: driver interface not closed
#define AEE_EQURTWAIT (AEE_EOFFSET + 0x163)  // QuRT: wait failed
#define AEE_EMMPMREQUEST (AEE_EOFFSET + 0x171)  // power manager: request failed
#define AEE_EMMPMRELEASE (AEE_EOFFSET + 0x172)  // power manager: release failed
#define AEE_EMMPMSETPARAM (AEE_EOFFSET + 0x173)  // power manager: parameter not set
#define AEE_EMMPMREGISTER (AEE_EOFFSET + 0x174)  // power manager: not registered
#define AEE_EMMPMGETINFO (AEE_EOFFSET + 0x175)  // power manager: no information
#define AEE_EMAX_MMPM_CLIENTS (AEE_EOFFSET + 0x176)  // power manager: too many clients
#define AEE_EDCVSREGISTER (AEE_EOFFSET + 0x177)  // clock client not registered
#define AEE_PDRREGFAIL (AEE_EOFFSET + 0x178)  // restart notification not registered
#define AEE_DEFAULT_PROCESS (AEE_EOFFSET + 0x180)  // no default process
#define AEE_ENULLCONTEXT (AEE_EOFFSET + 0x181)  // vote without a context
#define AEE_EINVALIDJOB (AEE_EOFFSET + 0x182)  // invalid asynchronous job
#define AEE_EBUSY (AEE_EOFFSET + 0x183)  // asynchronous job still pending
#define E_APPS_BUSY_RETRY_LATER (AEE_EOFFSET + 0x190)  // the host is busy, retry later
#define E_HLOS_CAP_REACHED (AEE_EOFFSET + 0x191)  // the host gives no more memory
#define E_DPOOL_CAP_REACHED (AEE_EOFFSET + 0x192)  // the physical pool is exhausted
#define E_NO_MORE_FREE_SECTIONS (AEE_EOFFSET + 0x193)  // the heap has no free section to grow
#define AEE_ESTUBSKELVERMISMATCH (AEE_EOFFSET + 0x194)  // the stub is newer than the skel
#define AEE_ERPC (AEE_EOFFSET + 0x200)  // transport error
#define AEE_EFILE (AEE_EOFFSET + 0x201)  // file error
#define AEE_ENOSUCHGROUP AEE_ENOSUCHJOB
#define AEE_EBADHANDLE AEE_EINVHANDLE

#endif
