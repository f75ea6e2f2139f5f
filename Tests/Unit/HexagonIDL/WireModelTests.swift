import HexagonIDL
import Testing

/// Scalars and sizes, against the method tables of the reference compiler and of shipped system libraries.
@Suite("Wire model")
struct WireModelTests {
    /// What is known of a method: index, scalars, exact bytes of the primitives in and out.
    struct Row: Sendable {
        var index: Int
        var scalars: UInt32
        var primIn: Int
        var primROut: Int

        init(_ index: Int, _ scalars: UInt32, _ primIn: Int = 0, _ primROut: Int = 0) {
            self.index = index
            self.scalars = scalars
            self.primIn = primIn
            self.primROut = primROut
        }
    }

    static func check(_ idl: String, _ rows: [Row], _ sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let unit = try IDLCompiler.compile(text: idl)
        let methods = try #require(unit.interface?.methods)
        #expect(methods.count == rows.count, sourceLocation: sourceLocation)
        for (method, row) in zip(methods, rows) {
            let wire = try MethodWire(method)
            #expect(method.index == row.index, "\(method.name)", sourceLocation: sourceLocation)
            #expect(
                wire.scalars(method: method.index) == row.scalars, "\(method.name)",
                sourceLocation: sourceLocation)
            #expect(wire.primInSize == row.primIn, "\(method.name)", sourceLocation: sourceLocation)
            #expect(wire.primROutSize == row.primROut, "\(method.name)", sourceLocation: sourceLocation)
        }
    }

    @Test("Flat signatures")
    func flat() throws {
        try Self.check(
            WorkedExamples.flat,
            [
                Row(2, 0x0200_0000), Row(3, 0x0301_0100, 18, 18), Row(4, 0x0402_0100, 4, 8),
                Row(5, 0x0503_0200, 16), Row(6, 0x0601_0100, 48, 48), Row(7, 0x0702_0200, 17, 4),
                Row(8, 0x0801_0011, 4), Row(9, 0x0901_0100, 12, 6), Row(10, 0x0a03_0000, 8),
                Row(11, 0x0b01_0100, 41, 40), Row(12, 0x0c01_0000, 17), Row(13, 0x0d03_0200, 16),
                Row(14, 0x0e00_0100, 0, 4), Row(15, 0x0f01_0000, 4),
            ])
    }

    @Test("Values with data of their own: records split into counts and scalars")
    func nested() throws {
        // The scalars of calls whose sequences of sequences are empty.
        try Self.check(
            WorkedExamples.nested,
            [
                Row(2, 0x0203_0100, 12), Row(3, 0x0302_0200, 16, 9), Row(4, 0x0402_0200, 16, 4),
                Row(5, 0x0502_0011, 8), Row(6, 0x0602_0200, 9, 24), Row(7, 0x0704_0100, 16),
                Row(8, 0x0803_0000, 8), Row(9, 0x0902_0200, 16, 4), Row(10, 0x0a03_0100, 8),
                Row(11, 0x0b02_0100, 12),
            ])
        let unit = try IDLCompiler.compile(text: WorkedExamples.nested)
        let structs = unit.items.compactMap { item -> StructType? in
            if case .structure(let type) = item.declaration { type } else { nil }
        }
        let outer = try #require(structs.first { $0.name == "nested_Outer" })
        #expect(outer.layout(.full).offsets == [0, 4, 8] && outer.layout(.full).extent.size == 16)
        #expect(outer.layout(.counts).offsets == [nil, 0, nil] && outer.layout(.counts).extent.size == 4)
        #expect(outer.layout(.scalars).offsets == [0, nil, 8] && outer.layout(.scalars).extent.size == 16)
    }

    @Test("Methods from index 31 on carry their index")
    func manyMethods() throws {
        var methods = (0..<28).map { "long m\($0)();" }
        methods += [
            "long m30();", "long m31(in long long a, rout octet b);", "long m32();",
            "long m33(in sequence<octet> a);",
        ]
        let idl =
            "#include \"remote.idl\"\ninterface many : remote_handle64 { \(methods.joined(separator: "\n")) };"
        var rows = (2..<30).map { Row($0, UInt32($0) << 24) }
        rows += [
            Row(30, 0x1e00_0000), Row(31, 0x1f01_0100, 16, 1), Row(32, 0x1f01_0000, 4),
            Row(33, 0x1f02_0000, 8),
        ]
        try Self.check(idl, rows)
    }

    @Test("apps_std, which hosts serve")
    func appsStd() throws {
        let idl = """
            #include "AEEStdDef.idl"
            interface apps_std {
              typedef long FILE;
              enum SEEK { SET, CUR, END };
              struct DIR { uint64_t handle; };
              struct DIRENT { long ino; char name[255]; };
              struct STAT { uint64 tsz; uint64 dev; uint64 ino; uint32 mode; uint32 nlink; uint64 rdev;
                uint64 size; int64 atime; int64 atimens; int64 mtime; int64 mtimens; int64 ctime; int64 ctimens; };
              AEEResult fopen(in string name, in string mode, rout FILE f);
              AEEResult freopen(in FILE f, in string name, in string mode, rout FILE g);
              AEEResult fflush(in FILE f);
              AEEResult fclose(in FILE f);
              AEEResult fread(in FILE f, rout sequence<octet> buf, rout long read, rout long eof);
              AEEResult fwrite(in FILE f, in sequence<octet> buf, rout long written, rout long eof);
              AEEResult fgetpos(in FILE f, rout sequence<octet> pos, rout long len);
              AEEResult fsetpos(in FILE f, in sequence<octet> pos);
              AEEResult ftell(in FILE f, rout long pos);
              AEEResult fseek(in FILE f, in long offset, in SEEK whence);
              AEEResult flen(in FILE f, rout uint64 len);
              AEEResult rewind(in FILE f);
              AEEResult feof(in FILE f, rout long eof);
              AEEResult ferror(in FILE f, rout long err);
              AEEResult clearerr(in FILE f);
              AEEResult print_string(in string s);
              AEEResult getenv(in string name, rout string val, rout long len);
              AEEResult setenv(in string name, in string val, in long overwrite);
              AEEResult unsetenv(in string name);
              AEEResult fopen_with_env(in string v, in string delim, in string name, in string mode, rout FILE f);
              AEEResult fgets(in FILE f, rout sequence<octet> buf, rout long eof);
              AEEResult get_search_paths(in string v, in string delim, rout sequence<string> paths,
                                         rout uint32 count, rout uint16 longest);
              AEEResult fileExists(in string path, rout boolean exists);
              AEEResult fsync(in FILE f);
              AEEResult fremove(in string path);
              AEEResult fdopen_decrypt(in FILE f, rout FILE g);
              AEEResult opendir(in string path, rout DIR d);
              AEEResult closedir(in DIR d);
              AEEResult readdir(in DIR d, rout DIRENT entry, rout long eof);
              AEEResult mkdir(in string path, in long mode);
              AEEResult rmdir(in string path);
              AEEResult stat(in string path, rout STAT s);
              AEEResult ftrunc(in FILE f, in long len);
              AEEResult frename(in string a, in string b);
              AEEResult fopen_fd(in string a, in string b, rout long fd, rout long len);
              AEEResult fclose_fd(in long fd);
              AEEResult fopen_with_env_fd(in string a, in string b, in string c, in string d, rout long fd,
                                          rout long len);
            };
            """
        try Self.check(
            idl,
            [
                Row(0, 0x0003_0100, 8, 4), Row(1, 0x0103_0100, 12, 4), Row(2, 0x0201_0000, 4),
                Row(3, 0x0301_0000, 4), Row(4, 0x0401_0200, 8, 8), Row(5, 0x0502_0100, 8, 8),
                Row(6, 0x0601_0200, 8, 4), Row(7, 0x0702_0000, 8), Row(8, 0x0801_0100, 4, 4),
                Row(9, 0x0901_0000, 12), Row(10, 0x0a01_0100, 4, 8), Row(11, 0x0b01_0000, 4),
                Row(12, 0x0c01_0100, 4, 4), Row(13, 0x0d01_0100, 4, 4), Row(14, 0x0e01_0000, 4),
                Row(15, 0x0f02_0000, 4), Row(16, 0x1002_0200, 8, 4), Row(17, 0x1103_0000, 12),
                Row(18, 0x1202_0000, 4), Row(19, 0x1305_0100, 16, 4), Row(20, 0x1401_0200, 8, 4),
                // Three fixed in buffers and the table of capacities.
                Row(21, 0x1504_0100, 12, 6),
                Row(22, 0x1602_0100, 4, 1), Row(23, 0x1701_0000, 4), Row(24, 0x1802_0000, 4),
                Row(25, 0x1901_0100, 4, 4), Row(26, 0x1a02_0100, 4, 8), Row(27, 0x1b01_0000, 8),
                Row(28, 0x1c01_0100, 8, 264), Row(29, 0x1d02_0000, 8), Row(30, 0x1e02_0000, 4),
                Row(31, 0x1f02_0100, 8, 96), Row(32, 0x1f01_0000, 12), Row(33, 0x1f03_0000, 12),
                Row(34, 0x1f03_0100, 12, 8), Row(35, 0x1f01_0000, 8), Row(36, 0x1f05_0100, 20, 8),
            ])
    }

    @Test("remotectl and its twin with a handle, which load modules")
    func remotectl() throws {
        let methods = """
            long open(in string name, rout long handle, rout sequence<char> error, rout long status);
            long close(in long handle, rout sequence<char> error, rout long status);
            long grow_heap(in uint32 address, in uint32 size);
            long set_param(in long id, in sequence<uint32> values);
            """
        try Self.check(
            "interface remotectl { \(methods) };",
            [
                Row(0, 0x0002_0200, 8, 8), Row(1, 0x0101_0200, 8, 4), Row(2, 0x0201_0000, 8),
                Row(3, 0x0302_0000, 8),
            ])
        let twin = methods.replacing("open(", with: "open1(").replacing("close(", with: "close1(")
        try Self.check(
            "#include \"remote.idl\"\ninterface remotectl1 : remote_handle64 { \(twin) };",
            [
                Row(2, 0x0202_0200, 8, 8), Row(3, 0x0301_0200, 8, 4), Row(4, 0x0401_0000, 8),
                Row(5, 0x0502_0000, 8),
            ])
    }

    @Test("apps_mem, whose 64-bit fields leave gaps")
    func appsMem() throws {
        let idl = """
            interface apps_mem {
              long request_map(in long heap, in uint32 lflags, in uint32 rflags, in uint32 vin, in int32 len,
                               rout uint32 vapps, rout uint32 vadsp);
              long request_unmap(in uint32 vadsp, in int32 len);
              long request_map64(in long heap, in uint32 lflags, in uint32 rflags, in uint64 vin, in int64 len,
                                 rout uint64 vapps, rout uint64 vadsp);
              long request_unmap64(in uint64 vadsp, in int64 len);
              long share_map(in long fd, in long size, rout uint64 vapps, rout uint64 vadsp);
              long share_unmap(in uint64 vadsp, in long size);
              long dma_handle_map(in long fd, in long offset, in long size);
              long dma_handle_unmap(in long fd, in long size);
            };
            """
        try Self.check(
            idl,
            [
                Row(0, 0x0001_0100, 20, 8), Row(1, 0x0101_0000, 8), Row(2, 0x0201_0100, 32, 16),
                Row(3, 0x0301_0000, 16), Row(4, 0x0401_0100, 8, 16), Row(5, 0x0501_0000, 12),
                Row(6, 0x0601_0000, 12), Row(7, 0x0701_0000, 8),
            ])
        let unit = try IDLCompiler.compile(text: idl)
        let methods = try #require(unit.interface?.methods)
        #expect(try MethodWire(methods[2]).primIn.map(\.offset) == [0, 4, 8, 16, 24])
        #expect(try MethodWire(methods[5]).primInSent == 16)
    }

    @Test("The listener, the process and dspqueue_rpc")
    func others() throws {
        try Self.check(
            """
            #include "remote.idl"
            interface adsp_listener1 : remote_handle64 {
              struct invoke { sequence<octet> data; };
              long next_invoke(in uint32 prev, in long result, in sequence<invoke> out_bufs, rout uint32 ctx,
                               rout uint32 handle, rout uint32 sc, rout sequence<invoke> in_bufs,
                               rout sequence<uint32> lens);
              long invoke_get_in_bufs(in uint32 ctx, rout sequence<invoke> in_bufs);
              long init();
              long init2();
              long next2(in uint32 prev, in long result, in sequence<octet> out_bufs, rout uint32 ctx,
                         rout uint32 handle, rout uint32 sc, rout sequence<octet> in_bufs, rout uint32 len);
              long get_in_bufs2(in uint32 ctx, in long offset, rout sequence<octet> in_bufs, rout long len);
            };
            """,
            [
                Row(2, 0x0203_0200, 20, 12), Row(3, 0x0302_0000, 8), Row(4, 0x0400_0000), Row(5, 0x0500_0000),
                Row(6, 0x0602_0200, 16, 16), Row(7, 0x0701_0200, 12, 4),
            ])
        try Self.check(
            """
            #include "remote.idl"
            interface dspqueue_rpc : remote_handle64 {
              long init_process_state(in int32 fd);
              long create_queue(in uint32 id, in int32 fd, in uint32 count, rout uint64 queue);
              long destroy_queue(in uint64 queue);
              long is_imported(in uint64 queue, rout int32 imported);
              long wait_signal(rout int32 signal);
              long cancel_wait_signal();
              long signal();
            };
            """,
            [
                Row(2, 0x0201_0000, 4), Row(3, 0x0301_0100, 12, 8), Row(4, 0x0401_0000, 8),
                Row(5, 0x0501_0100, 8, 4), Row(6, 0x0600_0100, 0, 4), Row(7, 0x0700_0000),
                Row(8, 0x0800_0000),
            ])
        try Self.check(
            """
            #include "remote.idl"
            interface adspmsgd_adsp1 : remote_handle64 {
              long init2();
              long deinit();
              long init3(in long heap, in uint32 flags, in uint32 filter, in uint64 size, rout uint64 address);
              long wait(rout uint64 size);
            };
            """,
            [Row(2, 0x0200_0000), Row(3, 0x0300_0000), Row(4, 0x0401_0100, 24, 8), Row(5, 0x0500_0100, 0, 8)])
    }
}
