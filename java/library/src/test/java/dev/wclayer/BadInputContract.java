package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.gzip;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.SortedMap;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every wrong call is a typed error of one line, and the store is as before. */
abstract class BadInputContract extends DriverTestCase {
    private static final byte[] BASE = tar(tar -> {
        tar.file("Files/a.txt", bytes("content ".repeat(400)));
        tar.folder("Files/folder");
    });

    private WindowsDriver driver;
    private SortedMap<String, String> before;

    @BeforeEach
    void fill() throws IOException {
        driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.applyDiff("child", "base", stream(tar(tar -> tar.file("Files/b.txt", bytes("b")))));
        driver.create("stub", "base");
        driver.createReadWrite("box", "child");
        driver.mount("box").close(); // so that its first mount is not what changes the store
        before = StoreSnapshot.of(home);
    }

    @Test
    void unknownIds() throws IOException {
        fails(LayerNotFoundException.class, () -> driver.get("missing"));
        fails(LayerNotFoundException.class, () -> driver.mount("missing"));
        fails(LayerNotFoundException.class, () -> driver.put("missing"));
        fails(LayerNotFoundException.class, () -> driver.remove("missing"));
        fails(LayerNotFoundException.class, () -> driver.diff("missing", null));
        fails(LayerNotFoundException.class, () -> driver.changes("missing", null));
        fails(LayerNotFoundException.class, () -> driver.diffSize("missing", null));
        fails(LayerNotFoundException.class, () -> driver.diffPath("missing"));
        fails(LayerNotFoundException.class, () -> driver.entries("missing", ""));
        fails(LayerNotFoundException.class, () -> driver.stat("missing", "Files"));
        fails(LayerNotFoundException.class, () -> driver.openStream("missing", "Files", ""));
        fails(LayerNotFoundException.class, () -> driver.verify("missing"));
        fails(LayerNotFoundException.class, () -> driver.lint("missing"));
        assertThat(driver.exists("missing")).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "..",
                "a/b",
                "a\\b",
                "../base",
                "/base",
                "C:",
                "a:b",
                "-a",
                ".a",
                "a.",
                "a b",
                "a\u0000b",
                "\u00e4",
                "nul",
                "COM1.txt",
                "x-removing",
                "\ud800"
            })
    void whatIsNoId(String id) throws IOException {
        fails(InvalidLayerArgumentException.class, () -> driver.create(id, ""));
        fails(InvalidLayerArgumentException.class, () -> driver.createReadWrite(id, ""));
        fails(InvalidLayerArgumentException.class, () -> driver.applyDiff(id, "", stream(BASE)));
        fails(InvalidLayerArgumentException.class, () -> driver.get(id));
        fails(InvalidLayerArgumentException.class, () -> driver.remove(id));
        fails(InvalidLayerArgumentException.class, () -> driver.getMetadata(id));
        assertThat(driver.exists(id)).isFalse();
    }

    @Test
    void anIdThatIsTooLong() throws IOException {
        fails(InvalidLayerArgumentException.class, () -> driver.create("a".repeat(129), ""));
        fails(InvalidLayerArgumentException.class, () -> driver.create("a".repeat(1 << 20), ""));
    }

    @Test
    void missingAndUnfitParents() throws IOException {
        fails(ParentNotFoundException.class, () -> driver.create("new", "missing"));
        fails(ParentNotFoundException.class, () -> driver.createReadWrite("new", "missing"));
        fails(ParentNotFoundException.class, () -> driver.applyDiff("new", "missing", stream(BASE)));
        fails(ParentNotFoundException.class, () -> driver.create("new", "box"));
        fails(InvalidLayerArgumentException.class, () -> driver.create("new", "../base"));
        fails(InvalidLayerArgumentException.class, () -> driver.diff("child", "stub"));
        fails(InvalidLayerArgumentException.class, () -> driver.changes("child", "missing"));
        fails(InvalidLayerArgumentException.class, () -> driver.applyDiff("stub", "child", stream(BASE)));
    }

    /** What is small and becomes large, or says that it will: each ends at the limit that its error names. */
    @Test
    void bombs() throws IOException {
        failsAt("max_ratio", zstdOfZeros(1 << 12)); // 512 MiB
        failsAt(
                "kMaxPaxBytesPerEntry",
                new RawTars().add(new RawTars.Entry("x", 'x').size(5 << 20)).finish());
        failsAt(
                "kMaxPaxRecords",
                new RawTars()
                        .add(new RawTars.Entry("x", 'x').data("5 a=\n".repeat(70_000)))
                        .finish());
        failsAt("kMaxFileBytes", RawTars.tar(RawTars.file("Files/f", "").size((16L << 40) + 1)));
        failsAt("kMaxFileBytes", RawTars.tar(RawTars.file("Files/f", "").record("size", "99999999999999")));
        failsAt(
                "kMaxSparseRanges",
                RawTars.tar(RawTars.file("Files/f", "1048577\n")
                        .record("GNU.sparse.major", "1")
                        .record("GNU.sparse.minor", "0")
                        .record("GNU.sparse.name", "Files/f")
                        .record("GNU.sparse.realsize", "1")));
    }

    /** A frame that is one header of a file and then blocks of 128 KiB of zeros, four bytes each. */
    private static byte[] zstdOfZeros(int blocks) throws IOException {
        ByteArrayOutputStream frame = new ByteArrayOutputStream();
        byte[] header =
                Arrays.copyOf(RawTars.tar(RawTars.file("Files/zeros", "").size(8L << 30)), RawTars.BLOCK);
        frame.writeBytes(new byte[] {0x28, (byte) 0xB5, 0x2F, (byte) 0xFD, 0x00, 0x38}); // a window of 128 KiB
        writeBlock(frame, 0, header.length, header);
        for (int i = 0; i < blocks; i++) {
            writeBlock(frame, 1, 128 << 10, new byte[1]);
        }
        return frame.toByteArray();
    }

    private static void writeBlock(ByteArrayOutputStream frame, int type, int size, byte[] data) {
        int head = type << 1 | size << 3;
        frame.writeBytes(new byte[] {(byte) head, (byte) (head >> 8), (byte) (head >> 16)});
        frame.writeBytes(data);
    }

    private void failsAt(String limit, byte[] input) throws IOException {
        Throwable failure = failsAnyhow(LayerException.class, () -> driver.applyDiff("new", "", stream(input)));
        assertThat(failure).hasMessageContaining(limit);
        assertThat(driver.exists("new")).isFalse();
    }

    @Test
    void duplicates() throws IOException {
        fails(LayerExistsException.class, () -> driver.create("base", ""));
        fails(LayerExistsException.class, () -> driver.create("BASE", ""));
        fails(LayerExistsException.class, () -> driver.create("stub", "base"));
        fails(LayerExistsException.class, () -> driver.createReadWrite("box", "child"));
        fails(LayerExistsException.class, () -> driver.applyDiff("base", "", stream(BASE)));
        fails(LayerExistsException.class, () -> driver.applyDiff("Child", "base", stream(BASE)));
        fails(LayerExistsException.class, () -> driver.applyDiff("box", "child", stream(BASE)));
    }

    @Test
    void whatIsInUse() throws IOException {
        fails(LayerBusyException.class, () -> driver.remove("base"));
        fails(LayerBusyException.class, () -> driver.remove("base", true));
        try (LayerMount mount = driver.mount("box")) {
            assertThat(mount.path()).isDirectory();
            Throwable failure = catchThrowable(() -> driver.remove("box"));
            assertThat(failure).isInstanceOf(LayerBusyException.class).hasMessageContaining("mounted");
            assertThat(mount.path().resolve("a.txt")).exists();
        }
        assertThat(driver.exists("box")).isTrue();
    }

    @Test
    void truncatedTars() throws IOException {
        for (int length : new int[] {0, 1, 511, 512, 513, 1024, 1025, 2500, 3000, 6000}) {
            fails(BadArchiveException.class, () -> driver.applyDiff("new", "", stream(Arrays.copyOf(BASE, length))));
        }
        fails(BadArchiveException.class, () -> driver.applyDiff("stub", "base", stream(Arrays.copyOf(BASE, 2500))));
        Path file = Files.write(folder.resolve("cut.tar"), Arrays.copyOf(BASE, 2500));
        fails(BadArchiveException.class, () -> driver.applyDiff("new", "", file));
    }

    @Test
    void whatIsNoTar() throws IOException {
        String html = "<!DOCTYPE html><html><body>404 Not Found</body></html>\n";
        fails(BadArchiveException.class, () -> driver.applyDiff("new", "", stream(bytes(html))));
        fails(BadArchiveException.class, () -> driver.applyDiff("new", "", stream(bytes(html.repeat(100)))));
        fails(BadArchiveException.class, () -> driver.applyDiff("new", "", stream(gzip(bytes(html)))));
    }

    @Test
    void damagedGzip() throws IOException {
        byte[] crc = gzip(BASE);
        crc[crc.length - 8] ^= 1;
        fails(BadArchiveException.class, () -> driver.applyDiff("new", "", stream(crc)));
        byte[] size = gzip(BASE);
        size[size.length - 1] ^= 1;
        fails(BadArchiveException.class, () -> driver.applyDiff("new", "", stream(size)));
        byte[] whole = gzip(BASE);
        fails(
                BadArchiveException.class,
                () -> driver.applyDiff("new", "", stream(Arrays.copyOf(whole, whole.length - 4))));
        fails(
                BadArchiveException.class,
                () -> driver.applyDiff("new", "", stream(new byte[] {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd, 9, 9})));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Files/../../evil",
                "../evil",
                "/etc/evil",
                "Files/..",
                "Files/a:b/c",
                "Files/C:\\evil",
                "Files/a\\..\\..\\evil",
                "Files/nul",
                "Files/evil.",
                "Files/evil ",
                "Elsewhere/evil"
            })
    void namesThatLeaveTheRoot(String name) throws IOException {
        byte[] evil = BareTars.tar(Map.of("Files", "", name, "evil"));
        fails(LayerException.class, () -> driver.applyDiff("new", "", stream(evil)));
        fails(LayerException.class, () -> driver.applyDiff("new", "", stream(gzip(evil))));
        assertThat(folder.resolve("evil")).doesNotExist();
        assertThat(Path.of("/etc/evil")).doesNotExist();
    }

    @Test
    void aFileThatIsNotThere() throws IOException {
        Path missing = folder.resolve("missing.tar");
        fails(LayerException.class, () -> driver.applyDiff("new", "", missing));
        Throwable failure = catchThrowable(() -> driver.applyDiff("new", "", missing));
        assertThat(failure).hasMessageContaining("missing.tar");
        try (LayerDiff diff = driver.diff("base", "")) {
            fails(LayerException.class, () -> diff.transferTo(folder.resolve("no/such/folder.tar")));
        }
    }

    @Test
    void aStreamThatFails() throws IOException {
        InputStream failing = new SequenceInputStream(stream(Arrays.copyOf(BASE, 600)), new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("the network is down");
            }

            @Override
            public int read(byte[] target, int offset, int length) throws IOException {
                return read();
            }
        });
        Throwable failure = catchThrowable(() -> driver.applyDiff("new", "", failing));
        assertThat(failure).isInstanceOf(IOException.class).hasMessage("the network is down");
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
    }

    @Test
    void nulls() throws IOException {
        failsAnyhow(NullPointerException.class, () -> driver.create(none(), ""));
        failsAnyhow(NullPointerException.class, () -> driver.create("new", none()));
        failsAnyhow(NullPointerException.class, () -> driver.get(none()));
    }

    @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"}) // what a caller without a checker may do
    private static <T> T none() {
        return null;
    }

    private void fails(Class<? extends LayerException> type, ThrowingCallable call) throws IOException {
        Throwable failure = failsAnyhow(type, call);
        assertThat(failure.getMessage()).isNotBlank().doesNotContain("\n");
        assertThat(((LayerException) failure).operation()).as("operation").isNotEmpty();
    }

    private Throwable failsAnyhow(Class<? extends Throwable> type, ThrowingCallable call) throws IOException {
        Throwable failure = catchThrowable(call);
        assertThat(failure).isInstanceOf(type);
        assertThat(StoreSnapshot.of(home)).as("the store after: %s", failure).isEqualTo(before);
        return failure;
    }
}
