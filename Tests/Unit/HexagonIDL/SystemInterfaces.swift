/// Signatures of interfaces that every device has, one text each; a corpus for tests that damage texts and
/// for the lint, which must have nothing to say about them.
enum SystemInterfaces {
    static let all = [
        """
        interface remotectl {
          long open(in string name, rout long handle, rout sequence<char> dlerror, rout long nErr);
          long close(in long handle, rout sequence<char> dlerror, rout long nErr);
          long grow_heap(in uint32 address, in uint32 size);
          long set_param(in long id, in sequence<uint32> params);
        };
        """,
        """
        #include "remote.idl"
        interface adsp_listener1 : remote_handle64 {
          struct invoke { sequence<octet> data; };
          long next_invoke(in uint32 prevCtx, in long prevResult, in sequence<invoke> out_bufs, rout uint32 ctx,
                           rout uint32 handle, rout uint32 sc, rout sequence<invoke> in_bufs, rout sequence<uint32> lens);
          long invoke_get_in_bufs(in uint32 ctx, rout sequence<invoke> in_bufs);
          long init();
          long init2();
          long next2(in uint32 prevCtx, in long result, in sequence<octet> out_bufs, rout uint32 ctx,
                     rout uint32 handle, rout uint32 sc, rout sequence<octet> in_bufs, rout uint32 lenReq);
          long get_in_bufs2(in uint32 ctx, in long offset, rout sequence<octet> in_bufs, rout long lenReq);
        };
        """,
        """
        #include "AEEStdDef.idl"
        interface apps_std {
          typedef long FILE;
          enum SEEK { SET, CUR, END };
          struct DIR { uint64_t handle; };
          struct DIRENT { long ino; char name[255]; };
          AEEResult fopen(in string name, in string mode, rout FILE psout);
          AEEResult fread(in FILE sin, rout sequence<octet> buf, rout long bytesRead, rout long bEOF);
          AEEResult fseek(in FILE sin, in long offset, in SEEK whence);
          AEEResult getenv(in string name, rout string val, rout long valLenReq);
          AEEResult search(in string env, in string delim, rout sequence<string> paths, rout uint32 n, rout uint16 maxLen);
          AEEResult readdir(in DIR dir, rout DIRENT dirent, rout long bEOF);
        };
        """,
        """
        interface apps_mem {
          long request_map64(in long heapid, in uint32 lflags, in uint32 rflags, in uint64 vin, in int64 len,
                             rout uint64 vapps, rout uint64 vadsp);
          long share_unmap(in uint64 vadsp, in long size);
        };
        """,
        """
        #include "remote.idl"
        interface adsp_current_process1 : remote_handle64 {
          long exit();
          long set_logging_params(in uint16 mask, in sequence<string> filesToLog);
          long getASID(rout uint32 asid);
          long panic_err_codes(in sequence<long> err_codes);
        };
        """,
        """
        #include "remote.idl"
        interface adsp_perf1 : remote_handle64 {
          long enable(in long ix);
          long get_usecs(rout sequence<int64> dst);
          long get_keys(rout sequence<char> keys, rout long maxLen, rout long numKeys);
        };
        """,
        """
        interface adspmsgd_adsp {
          long init(in long heapid, in uint32 ion_flags, in uint32 filter, in uint32 buf_size, rout long buff_addr);
          long init2();
          long deinit();
        };
        """,
        """
        #include "remote.idl"
        interface dspqueue_rpc : remote_handle64 {
          long init_process_state(in int32 process_state_fd);
          long create_queue(in uint32 id, in int32 queue_fd, in uint32 count, rout uint64 queue_handle);
          long destroy_queue(in uint64 queue_handle);
          long is_imported(in uint64 queue_handle, rout int32 imported);
          long wait_signal(rout int32 signal);
          long cancel_wait_signal();
          long signal();
        };
        """,
    ]
}
