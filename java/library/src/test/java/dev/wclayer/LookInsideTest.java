package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.stream;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.wclayer.EntryInfo.Kind;
import dev.wclayer.compress.WindowsMetadata;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** ls, stat, cat: every field of every kind of entry. */
class LookInsideTest extends DriverTestCase {
    private static final Instant WRITTEN = Instant.parse("2024-02-29T23:59:59.9999999Z");
    private static final byte[] OBJECT_ID = new byte[64];
    private static final byte[] APP_LINK = ByteBuffer.allocate(12)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(0x8000001b)
            .putShort((short) 4)
            .putShort((short) 0)
            .putInt(3)
            .array();

    /** Well-known SIDs of every kind, a domain's own, rights by word and by number, an object entry's neighbours. */
    private static final String SDDL = "O:SYG:BAD:PAI(A;OICIIO;GA;;;CO)(A;;FA;;;SY)(D;;FR;;;AN)(A;OICI;0x1200a9;;;BU)"
            + "(A;;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)"
            + "(A;;FX;;;S-1-15-2-2)S:AI(AU;SAFA;FA;;;WD)";

    private WindowsDriver driver;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @BeforeEach
    void fill() throws IOException {
        driver = open();
        OBJECT_ID[0] = 7;
        RawTars raw = new RawTars()
                .add(RawTars.folder("Files"))
                .add(RawTars.folder("Files/dir").record("MSWINDOWS.fileattr", "18"))
                .add(RawTars.file("Files/dir/all", "0123456789")
                        .record("MSWINDOWS.fileattr", "38")
                        .record("MSWINDOWS.sd", SDDL)
                        .record("MSWINDOWS.xattr.ONE", base64(bytes("1")))
                        .record("MSWINDOWS.xattr.TWO", base64(new byte[] {0, -1, 10}))
                        .record("WCLAYER.objectid", base64(OBJECT_ID))
                        .record("LIBARCHIVE.creationtime", "1000000000.0000001")
                        .record("atime", "1100000000.0000002")
                        .record("mtime", "1709251199.9999999")
                        .record("ctime", "1200000000.0000003"))
                .add(RawTars.file("Files/dir/all:first", "1"))
                .add(RawTars.file("Files/dir/all:second", "x".repeat(100_000)))
                .add(RawTars.hardLink("Files/dir/zlinked", "Files/dir/all")
                        .record("MSWINDOWS.fileattr", "38")
                        .record("mtime", "1709251199.9999999"))
                .add(RawTars.hardLink("Files/dir/zz-bare", "Files/dir/all"))
                .add(RawTars.symbolicLink("Files/symlink", "..\\a b\\\u00fc"))
                .add(RawTars.symbolicLink("Files/junction", "C:\\Users")
                        .mode(0160000)
                        .record("MSWINDOWS.mountpoint", "1"))
                .add(RawTars.file("Files/app", "")
                        .mode(0)
                        .record("MSWINDOWS.fileattr", "1056")
                        .record("WCLAYER.reparse", base64(APP_LINK)))
                .add(RawTars.file("Files/.wh.gone", ""));
        driver.applyDiff("base", "", stream(LayerTars.tar(tar -> tar.file("Files/gone", bytes("gone")))));
        driver.applyDiff("l", "base", stream(raw.finish()));
    }

    private static String base64(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }

    @Test
    void lsShowsKindSizeAttributesTimeAndTarget() throws IOException {
        Instant plain = Instant.ofEpochSecond(1_700_000_000L);
        assertThat(driver.entries("l", ""))
                .filteredOn(entry -> entry.path().startsWith("Files"))
                .extracting(
                        EntryInfo::kind,
                        EntryInfo::path,
                        EntryInfo::sizeBytes,
                        EntryInfo::attributes,
                        EntryInfo::writeTime,
                        EntryInfo::target)
                .containsExactly(
                        tuple(Kind.FOLDER, "Files", 0L, 0x10, plain, ""),
                        tuple(Kind.WHITEOUT, "Files/gone", 0L, 0, Instant.parse("1601-01-01T00:00:00Z"), ""),
                        tuple(Kind.REPARSE_POINT, "Files/app", 0L, 0x420, plain, ""),
                        tuple(Kind.FOLDER, "Files/dir", 0L, 0x12, plain, ""),
                        tuple(Kind.FILE, "Files/dir/all", 10L, 0x26, WRITTEN, ""),
                        tuple(Kind.HARD_LINK, "Files/dir/zlinked", 10L, 0x26, WRITTEN, "Files/dir/all"),
                        tuple(Kind.HARD_LINK, "Files/dir/zz-bare", 10L, 0, plain, "Files/dir/all"),
                        tuple(Kind.JUNCTION, "Files/junction", 0L, 0x410, plain, "C:\\Users"),
                        tuple(Kind.SYMBOLIC_LINK, "Files/symlink", 0L, 0x400, plain, "..\\a b\\\u00fc"));
        assertThat(driver.entries("l", "FILES/DIR"))
                .extracting(EntryInfo::path)
                .containsExactly("Files/dir", "Files/dir/all", "Files/dir/zlinked", "Files/dir/zz-bare");
    }

    @Test
    void statShowsEverything() throws IOException {
        for (String name : List.of("Files/dir/all", "files/DIR/ZLinked", "Files/dir/zz-bare")) {
            EntryDetails details = driver.stat("l", name);
            assertThat(details.info().attributes()).isEqualTo(0x26);
            assertThat(details.info().sizeBytes()).isEqualTo(10);
            assertThat(details.info().writeTime()).isEqualTo(WRITTEN);
            assertThat(details.creation())
                    .isEqualTo(new EntryDetails.Time(Instant.ofEpochSecond(1_000_000_000L, 100), true));
            assertThat(details.access())
                    .isEqualTo(new EntryDetails.Time(Instant.ofEpochSecond(1_100_000_000L, 200), true));
            assertThat(details.write()).isEqualTo(new EntryDetails.Time(WRITTEN, true));
            assertThat(details.change())
                    .isEqualTo(new EntryDetails.Time(Instant.ofEpochSecond(1_200_000_000L, 300), true));
            assertThat(details.sddl()).isEqualTo(SDDL);
            assertThat(details.securityDescriptor()).startsWith(1, 0).hasSizeGreaterThan(100);
            assertThat(details.extendedAttributes().keySet()).containsExactly("ONE", "TWO");
            assertThat(details.extendedAttributes().get("TWO")).containsExactly(0, -1, 10);
            assertThat(details.streams()).containsExactly(Map.entry("first", 1L), Map.entry("second", 100_000L));
            assertThat(details.objectId()).isEqualTo(OBJECT_ID);
            assertThat(details.reparseTag()).isZero();
            assertThat(details.reparseData()).isEmpty();
            assertThat(details.sparse()).isFalse();
        }
        assertThat(driver.stat("l", "Files/dir/zlinked").info().target()).isEqualTo("Files/dir/all");
        assertThat(driver.stat("l", "Files/symlink").reparseTag()).isEqualTo(0xa000000c);
        assertThat(driver.stat("l", "Files/symlink").info().target()).isEqualTo("..\\a b\\\u00fc");
        assertThat(driver.stat("l", "Files/junction").reparseTag()).isEqualTo(0xa0000003);
        assertThat(driver.stat("l", "Files/app").reparseData()).isEqualTo(APP_LINK);
        assertThat(driver.stat("l", "Files/app").reparseTag()).isEqualTo(0x8000001b);
        EntryDetails whiteout = driver.stat("l", "Files/gone");
        assertThat(whiteout.info().kind()).isEqualTo(Kind.WHITEOUT);
        assertThat(whiteout.sddl()).isEmpty();
        assertThat(driver.stat("base", "Files/gone").sddl())
                .isEqualTo("O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)");
        assertThat(driver.stat("base", "Files/gone").securityDescriptor())
                .isEqualTo(Objects.requireNonNull(
                        WindowsMetadata.ofFile(LayerTars.TIME).securityDescriptor()));
    }

    @Test
    void catGivesDataAndStreamsOfEveryName() throws IOException {
        for (String name : List.of("Files/dir/all", "Files/dir/ZLINKED")) {
            assertThat(driver.openStream("l", name, "").readAllBytes()).isEqualTo(bytes("0123456789"));
            assertThat(driver.openStream("l", name, "first").readAllBytes()).isEqualTo(bytes("1"));
            assertThat(driver.openStream("l", name, "SECOND").readAllBytes()).isEqualTo(bytes("x".repeat(100_000)));
        }
        assertThatThrownBy(() -> driver.openStream("l", "Files/gone", ""))
                .isInstanceOf(InvalidLayerArgumentException.class)
                .hasMessageContaining("Files/gone");
        assertThatThrownBy(() -> driver.openStream("l", "Files/dir", ""))
                .isInstanceOf(InvalidLayerArgumentException.class)
                .hasMessageContaining("Files/dir");
        assertThat(driver.openStream("l", "Files/app", "").readAllBytes()).isEmpty();
    }
}
