package dev.wclayer;

import static dev.wclayer.BackupStreams.ALTERNATE;
import static dev.wclayer.BackupStreams.DATA;
import static dev.wclayer.BackupStreams.EA_DATA;
import static dev.wclayer.BackupStreams.REPARSE;
import static dev.wclayer.BackupStreams.SECURITY;
import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.stream;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.wclayer.compress.WindowsMetadata;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Docker 1.10's form of a layer, as tar and as folder (spec layer-formats §a.2, §f). */
class TransportTest extends DriverTestCase {
    private static final DiffOptions TRANSPORT = DiffOptions.DEFAULT.withFormat(ArchiveFormat.TRANSPORT);
    private static final String BOM = "\ufeff";
    private static final List<String> HIVES =
            List.of("DefaultUser_Delta", "Sam_Delta", "Security_Delta", "Software_Delta", "System_Delta");
    private static final byte[] FILE_DESCRIPTOR =
            Objects.requireNonNull(WindowsMetadata.ofFile(LayerTars.TIME).securityDescriptor());
    private static final byte[] FOLDER_DESCRIPTOR =
            Objects.requireNonNull(WindowsMetadata.ofFolder(LayerTars.TIME).securityDescriptor());
    private static final byte[] HIVE = hive();
    private static final byte[] EAS = HexFormat.of()
            .parseHex("1000000000030300666f6f006261720000000000000404006669 7a7a0062757a7a000000".replace(" ", ""));

    private static final Instant SECOND = LayerTars.TIME.truncatedTo(ChronoUnit.SECONDS); // all that such a tar can say
    private static final byte[] BASE = LayerTars.tarAt(SECOND, tar -> {
        tar.file("Files/dir/gone.txt", bytes("gone"));
        tar.file("Files/also gone", bytes("gone"));
        tar.file("Files/dir/kept.txt", bytes("kept"));
    });
    private static final byte[] CHILD = LayerTars.tarAt(SECOND, tar -> {
        tar.file(
                "Files/dir/new.txt",
                7,
                stream(bytes("content")),
                WindowsMetadata.ofFile(SECOND)
                        .withAttributes(0x27)
                        .withExtendedAttributes(Map.of("FOO", bytes("bar"))));
        tar.alternateStream("note", bytes("a stream"));
        tar.whiteout("Files/dir/gone.txt");
        tar.whiteout("Files/also gone");
        tar.folder("Files/empty");
        tar.junction("Files/dir/junction", "C:\\Users");
    });

    private WindowsDriver driver;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    @BeforeEach
    void fill() throws IOException {
        driver = open();
        driver.applyDiff("base", "", stream(BASE));
    }

    private static Map<String, byte[]> contents(byte[] tar) throws IOException {
        Map<String, byte[]> contents = new LinkedHashMap<>();
        try (TarArchiveInputStream in = new TarArchiveInputStream(stream(tar), StandardCharsets.UTF_8.name())) {
            for (TarArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                contents.put(entry.getName(), in.readAllBytes());
            }
        }
        return contents;
    }

    @Test
    void theTarHoldsWhatDockerWouldExport() throws IOException {
        driver.applyDiff("child", "base", stream(CHILD));
        byte[] tar = read(driver.diff("child", "base", TRANSPORT));
        assertThat(read(driver.diff("child", "base", TRANSPORT))).as("again").isEqualTo(tar);
        Map<String, byte[]> contents = contents(tar);
        List<String> expected = new ArrayList<>(List.of(
                "Files/",
                "Files/dir/",
                "Files/dir/junction/",
                "Files/dir/junction.$wcidirs$",
                "Files/dir/new.txt",
                "Files/dir.$wcidirs$",
                "Files/empty/",
                "Files/empty.$wcidirs$",
                "Files.$wcidirs$",
                "Hives/"));
        HIVES.forEach(hive -> expected.add("Hives/" + hive));
        expected.addAll(List.of("Hives.$wcidirs$", "tombstones.txt"));
        assertThat(contents.keySet()).containsExactlyInAnyOrderElementsOf(expected);
        assertThat(contents.get("tombstones.txt"))
                .isEqualTo(bytes(BOM + "Version 1.0\n\\also gone\n\\dir\\gone.txt\n"));
        byte[] stored = TarViews.at(contents, "Files/dir/new.txt");
        assertThat(BackupStreams.attributesOf(stored)).isEqualTo(0x27);
        assertThat(BackupStreams.parts(stored))
                .extracting(BackupStreams.Part::id, BackupStreams.Part::name, BackupStreams.Part::size)
                .containsExactlyInAnyOrder(
                        tuple(SECURITY, "", FILE_DESCRIPTOR.length),
                        tuple(EA_DATA, "", 16),
                        tuple(DATA, "", 7),
                        tuple(ALTERNATE, ":note:$DATA", 8));
        byte[] junction = TarViews.at(contents, "Files/dir/junction.$wcidirs$");
        assertThat(BackupStreams.attributesOf(junction)).isEqualTo(0x410);
        assertThat(BackupStreams.parts(junction))
                .extracting(BackupStreams.Part::id)
                .contains(SECURITY, REPARSE);
        byte[] empty = TarViews.at(contents, "Files/empty.$wcidirs$");
        assertThat(BackupStreams.attributesOf(empty)).isEqualTo(0x10);
        assertThat(BackupStreams.parts(empty).get(0).hex())
                .isEqualTo(HexFormat.of().formatHex(FOLDER_DESCRIPTOR));
        for (String hive : HIVES) {
            assertThat(contents.get("Hives/" + hive)).hasSize(8192).startsWith('r', 'e', 'g', 'f');
        }
    }

    @Test
    void aTarAndAFolderComeBackAsTheSameLayer() throws IOException {
        driver.applyDiff("child", "base", stream(CHILD));
        byte[] tar = read(driver.diff("child", "base", TRANSPORT));
        ApplyResult applied = driver.applyDiff("tar", "base", stream(tar));
        assertThat(applied.diffId()).isEqualTo(LayerTars.sha256(tar));
        Path exported = folder.resolve("exported");
        driver.diffPathTo("child", exported);
        Path packed = folder.resolve("packed.tar");
        Tools.run(
                folder,
                "tar",
                "-C",
                exported.toString(),
                "-cf",
                packed.toString(),
                "Files",
                "Files.$wcidirs$",
                "Hives",
                "Hives.$wcidirs$",
                "tombstones.txt");
        driver.applyDiff("folder", "base", packed);
        for (String id : List.of("tar", "folder")) {
            assertThat(driver.changes(id, "base")).as(id).isEqualTo(driver.changes("child", "base"));
            assertThat(driver.diffSize(id, "base")).isEqualTo(driver.diffSize("child", "base"));
            EntryDetails details = driver.stat(id, "Files/dir/new.txt");
            EntryDetails original = driver.stat("child", "Files/dir/new.txt");
            assertThat(details.info().attributes()).isEqualTo(0x27);
            assertThat(details.securityDescriptor()).isEqualTo(original.securityDescriptor());
            assertThat(details.extendedAttributes().get("FOO")).isEqualTo(bytes("bar"));
            assertThat(details.streams()).isEqualTo(original.streams());
            assertThat(details.write().instant()).isEqualTo(SECOND);
            assertThat(driver.stat(id, "Files/dir/junction").reparseData())
                    .isEqualTo(driver.stat("child", "Files/dir/junction").reparseData());
            assertThat(driver.openStream(id, "Files/dir/new.txt", "note").readAllBytes())
                    .isEqualTo(bytes("a stream"));
            assertThat(read(driver.diff(id, "base", TRANSPORT)))
                    .as(id)
                    .isEqualTo(read(driver.diff("tar", "base", TRANSPORT)));
            assertThat(driver.verify(id)).isEmpty();
        }
    }

    /** As docker 1.10 and hcsshim write it; its bytes are put together here. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void readsWhatDockerWrote(boolean attributes) throws IOException {
        byte[] reparse = HexFormat.of().parseHex("170000800400000001020304");
        RawTars raw = new RawTars()
                .add(RawTars.folder("Files/"))
                .add(stored("Files.$wcidirs$", folderStream(attributes, 0x10)))
                .add(RawTars.folder("Files/dir/"))
                .add(stored(
                        "Files/dir/file.txt",
                        word(attributes, 0x22)
                                .add(SECURITY, FILE_DESCRIPTOR)
                                .add(EA_DATA, EAS)
                                .add(DATA, bytes("from 2016"))
                                .add(ALTERNATE, ":Zone.Identifier:$DATA", bytes("[ZoneTransfer]"))
                                .bytes()))
                .add(stored(
                        "Files/dir/wof",
                        word(attributes, 0x420)
                                .add(REPARSE, reparse)
                                .add(DATA, bytes("x"))
                                .bytes()))
                .add(stored("Files/dir.$wcidirs$", folderStream(attributes, 0x12)))
                .add(RawTars.folder("Hives/"))
                .add(RawTars.file("Hives/System_Delta", "").data(HIVE))
                .add(stored("Hives.$wcidirs$", folderStream(attributes, 0x10)))
                .add(RawTars.file("tombstones.txt", BOM + "Version 1.0\r\n\\dir\\gone.txt\r\n\\also gone\r\n"));
        byte[] tar = raw.finish();
        driver.applyDiff("old", "base", stream(tar));
        EntryDetails details = driver.stat("old", "Files/dir/file.txt");
        assertThat(details.info().attributes()).isEqualTo(attributes ? 0x22 : 0x20);
        assertThat(details.securityDescriptor()).isEqualTo(FILE_DESCRIPTOR);
        assertThat(details.extendedAttributes()).containsOnlyKeys("foo", "fizz");
        assertThat(details.extendedAttributes().get("fizz")).isEqualTo(bytes("buzz"));
        assertThat(details.write().instant().getEpochSecond()).isEqualTo(1_460_000_000L);
        assertThat(driver.openStream("old", "Files/dir/file.txt", "").readAllBytes())
                .isEqualTo(bytes("from 2016"));
        assertThat(driver.openStream("old", "Files/dir/file.txt", "zone.identifier")
                        .readAllBytes())
                .isEqualTo(bytes("[ZoneTransfer]"));
        assertThat(driver.stat("old", "Files/dir/wof").reparseData()).isEqualTo(reparse);
        assertThat(driver.stat("old", "Files/dir").info().attributes()).isEqualTo(attributes ? 0x12 : 0x10);
        assertThat(driver.stat("old", "Files/dir").securityDescriptor()).isEqualTo(FOLDER_DESCRIPTOR);
        assertThat(driver.openStream("old", "Hives/System_Delta", "").readAllBytes())
                .isEqualTo(HIVE);
        assertThat(driver.changes("old", "base"))
                .extracting(Change::toString)
                .contains("D Files/also gone", "D Files/dir/gone.txt", "A Files/dir/file.txt");
        assertThat(driver.verify("old")).isEmpty();
        // As a layer of today, and back.
        driver.applyDiff("new", "base", stream(read(driver.diff("old", "base"))));
        assertThat(driver.changes("new", "base")).isEqualTo(driver.changes("old", "base"));
        assertThat(contents(read(driver.diff("new", "base", TRANSPORT))).get("Hives/System_Delta"))
                .isEqualTo(HIVE);
    }

    private static byte[] hive() {
        try {
            return Files.readAllBytes(Path.of("..", "..", "native", "test", "fixtures", "bin", "bcd-minimal.hive"));
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    private static BackupStreams word(boolean attributes, int value) {
        return attributes ? BackupStreams.withAttributes(value) : new BackupStreams();
    }

    private static byte[] folderStream(boolean attributes, int value) {
        return word(attributes, value).add(SECURITY, FOLDER_DESCRIPTOR).bytes();
    }

    private static RawTars.Entry stored(String name, byte[] data) {
        return new RawTars.Entry(name, '0').data(data).mode(0755).time(1_460_000_000L);
    }

    @Test
    void malformedFoldersAreNamedAndLeaveNothing() throws IOException {
        driver.diffPath("base").close(); // so that the folder for such things is there
        var before = StoreSnapshot.of(home);
        RawTars.Entry root = RawTars.folder("Files/");
        RawTars.Entry metadata = stored("Files.$wcidirs$", folderStream(true, 0x10));
        RawTars.Entry good = RawTars.file("tombstones.txt", BOM + "Version 1.0\n");
        Map<String, RawTars.Entry> bad = Map.of(
                "cut", stored("Files/cut", new byte[] {32, 0, 0, 0, 1, 0, 0, 0}),
                "more",
                        stored(
                                        "Files/more",
                                        word(true, 32).add(DATA, new byte[3]).bytes())
                                .data(new byte[30]),
                "tombstones.txt", RawTars.file("tombstones.txt", "Version 2.0\n"),
                "Files/..", stored("Files/../x", new byte[0]));
        for (Map.Entry<String, RawTars.Entry> each : bad.entrySet()) {
            boolean tombstones = each.getKey().equals("tombstones.txt");
            byte[] tar = tombstones
                    ? RawTars.tar(root, metadata, each.getValue())
                    : RawTars.tar(root, metadata, each.getValue(), good);
            assertThatThrownBy(() -> driver.applyDiff("bad", "base", stream(tar)))
                    .as(each.getKey())
                    .isInstanceOf(LayerException.class)
                    .hasMessageContaining(each.getKey());
            assertThat(StoreSnapshot.of(home)).isEqualTo(before);
        }
    }

    /** windowsdiff: ApplyDiff unpacks into the home itself, Diff packs the exported folder. */
    @Test
    void windowsDiffMovesPlainTars() throws IOException {
        driver.applyDiff("child", "base", stream(CHILD));
        byte[] tar = read(driver.diff("child", "base", TRANSPORT));
        driver.close();
        try (WindowsDriver plain = WindowsDriver.initDiff(home, options(), List.of(), List.of())) {
            assertThat(read(plain.diff("child", "base"))).isEqualTo(tar);
            byte[] files = RawTars.tar(RawTars.file("plain/dir/file.txt", "plain"), RawTars.file("plain/name", "n"));
            assertThat(plain.applyDiff("any", "base", stream(files)).sizeBytes())
                    .isEqualTo(6);
            assertThat(home.resolve("plain/dir/file.txt")).hasContent("plain");
            assertThatThrownBy(() -> plain.applyDiff("any", "base", stream(RawTars.tar(RawTars.file("../evil", "")))))
                    .isInstanceOf(UnsafePathException.class);
            assertThat(folder.resolve("evil")).doesNotExist();
        }
    }
}
