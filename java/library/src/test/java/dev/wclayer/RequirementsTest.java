package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.RawTars.file;
import static dev.wclayer.RawTars.folder;
import static dev.wclayer.RawTars.hardLink;
import static dev.wclayer.RawTars.symbolicLink;
import static dev.wclayer.RawTars.tar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.wclayer.EntryInfo.Kind;
import dev.wclayer.compress.WindowsMetadata;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What users asked for (the ids are those of the requirements), through the API. */
class RequirementsTest extends DriverTestCase {
    private static final DiffOptions REBUILD = DiffOptions.DEFAULT.withRebuild(true);
    private static final String DESCRIPTOR =
            base64(Objects.requireNonNull(WindowsMetadata.ofFile(LayerTars.TIME).securityDescriptor()));
    private static final int WOF = 0x80000017;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    private static String base64(byte[] data) {
        return Base64.getEncoder().encodeToString(data);
    }

    private static byte[] content(WindowsDriver driver, String id, String path, String stream) throws IOException {
        try (InputStream in = driver.openStream(id, path, stream)) {
            return in.readAllBytes();
        }
    }

    private static void comesBack(WindowsDriver driver, String id, byte[] tar) throws IOException {
        assertThat(read(driver.diff(id, null))).isEqualTo(tar);
        assertThat(driver.verify(id)).isEmpty();
    }

    /** C1: what lacks attributes or a descriptor is reported, each thing once, and nothing else. */
    @Test
    void c1LintNamesWhatWindowsWouldMiss() throws IOException {
        byte[] tar = tar(
                folder("Files"),
                folder("Files/d").record("MSWINDOWS.rawsd", DESCRIPTOR),
                file("Files/d/none", "x"),
                file("Files/d/no-attributes", "x").record("MSWINDOWS.rawsd", DESCRIPTOR),
                file("Files/d/no-descriptor", "x").record("MSWINDOWS.fileattr", "32"),
                file("Files/d/whole", "x").record("MSWINDOWS.fileattr", "32").record("MSWINDOWS.rawsd", DESCRIPTOR),
                hardLink("Files/d/z-linked", "Files/d/whole"),
                file("Files/d/.wh.gone", ""));
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        assertThat(driver.lint("l"))
                .extracting(LayerProblem::path, problem -> problem.problem().replaceFirst(":.*|\\(.*", ""))
                .containsExactly(
                        tuple("Files/d/no-attributes", "no file attributes "),
                        tuple("Files/d/no-descriptor", "no security descriptor "),
                        tuple("Files/d/none", "no file attributes "),
                        tuple("Files/d/none", "no security descriptor "));
    }

    /** C1: every entry of a container's Diff has both. */
    @Test
    void c1WhatAContainerWritesHasAttributesAndDescriptor() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(LayerTars.tar(tar -> tar.file("Files/old/a.txt", bytes("a")))));
        commit(driver, "made", "base", root -> {
            Files.writeString(root.resolve("new.txt"), "new");
            Files.createDirectories(root.resolve("dir/inner"));
            Files.writeString(root.resolve("dir/inner/b"), "b");
            Files.writeString(root.resolve("old/a.txt"), "changed");
            Files.createSymbolicLink(root.resolve("link"), Path.of("new.txt"));
        });
        assertThat(driver.lint("made")).isEmpty();
        for (TarViews.View view : TarViews.of(read(driver.diff("made", "base")))) {
            if (view.name().startsWith("Files/")) {
                assertThat(view.records()).as(view.name()).containsKeys("MSWINDOWS.fileattr", "MSWINDOWS.rawsd");
            }
        }
    }

    private static byte[] reparse(int tag, byte[] data) {
        int guid = tag < 0 ? 0 : 16; // third parties' have one, which does not count
        return ByteBuffer.allocate(8 + data.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(tag)
                .putShort((short) (data.length - guid))
                .putShort((short) 0)
                .put(data)
                .array();
    }

    /** C4: everything that NTFS keeps of an entry, by way of store, export, import and a transport tar. */
    @Test
    void c4NothingOfAnEntryIsLost() throws IOException {
        byte[] wof = reparse(WOF, new byte[] {1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
        byte[] unknown = reparse(0x0000beef, new byte[24]); // with a GUID, as third parties' tags have
        byte[] objectId = new byte[64];
        new Random(4).nextBytes(objectId);
        RawTars raw = new RawTars()
                .add(folder("Files").record("MSWINDOWS.fileattr", "16"))
                .add(file("Files/full", "main")
                        .record("MSWINDOWS.fileattr", "8231") // READONLY HIDDEN SYSTEM ARCHIVE NOT_CONTENT_INDEXED
                        .record("MSWINDOWS.rawsd", DESCRIPTOR)
                        .record("MSWINDOWS.xattr.LARGE", base64(new byte[40_000]))
                        .record("MSWINDOWS.xattr.SMALL", base64(bytes("value")))
                        .record("WCLAYER.eaflags", base64(new byte[] {(byte) 0x80, 5, 'S', 'M', 'A', 'L', 'L'}))
                        .record("WCLAYER.objectid", base64(objectId))
                        .record("WCLAYER.shortname", base64("FULL~1".getBytes(StandardCharsets.UTF_16LE)))
                        .record("LIBARCHIVE.creationtime", "-11644473599.9999999")
                        .record("atime", "1700000000.0000001")
                        .record("ctime", "253402300799.9999999")
                        .record("mtime", "1.0000003"));
        List<String> names = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            names.add("s" + i);
        }
        names.add("\u4e2d".repeat(255)); // 255 units, 765 bytes
        for (String name : names) {
            raw.add(file("Files/full:" + name, "stream " + name));
        }
        raw.add(folder("Files/d").record("MSWINDOWS.fileattr", "16").record("WCLAYER.objectid", base64(objectId)))
                .add(file("Files/d:of a folder", "folder's"))
                .add(file("Files/wof", "compressed by Windows")
                        .record("MSWINDOWS.fileattr", "1056")
                        .record("WCLAYER.reparse", base64(wof)))
                .add(folder("Files/other")
                        .record("MSWINDOWS.fileattr", "1040")
                        .record("WCLAYER.reparse", base64(unknown)))
                .add(symbolicLink("Files/link", "..\\x").record("MSWINDOWS.fileattr", "1024"))
                .add(symbolicLink("Files/junction", "C:\\Users")
                        .mode(0160000)
                        .record("MSWINDOWS.fileattr", "1040")
                        .record("MSWINDOWS.mountpoint", "1"));
        byte[] tar = raw.finish();
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        comesBack(driver, "l", tar);
        byte[] rebuilt = read(driver.diff("l", "", REBUILD));
        driver.applyDiff("rebuilt", "", stream(rebuilt));
        comesBack(driver, "rebuilt", rebuilt);
        for (String id : List.of("l", "rebuilt")) {
            EntryDetails full = driver.stat(id, "Files/full");
            assertThat(full.info().attributes()).isEqualTo(8231);
            assertThat(base64(full.securityDescriptor())).isEqualTo(DESCRIPTOR);
            assertThat(full.extendedAttributes().get("LARGE")).isEqualTo(new byte[40_000]);
            assertThat(full.extendedAttributes().get("SMALL")).isEqualTo(bytes("value"));
            assertThat(full.objectId()).isEqualTo(objectId);
            assertThat(full.creation().instant()).isEqualTo("1601-01-01T00:00:00.000000100Z");
            assertThat(full.access().instant()).isEqualTo("2023-11-14T22:13:20.000000100Z");
            assertThat(full.write().instant()).isEqualTo("1970-01-01T00:00:01.000000300Z");
            assertThat(full.change().instant()).isEqualTo("9999-12-31T23:59:59.999999900Z");
            assertThat(full.streams().keySet()).containsExactlyInAnyOrderElementsOf(names);
            for (String name : names) {
                assertThat(content(driver, id, "Files/full", name)).isEqualTo(bytes("stream " + name));
            }
            assertThat(content(driver, id, "Files/d", "of a folder")).isEqualTo(bytes("folder's"));
            assertThat(driver.stat(id, "Files/d").objectId()).isEqualTo(objectId);
            assertThat(driver.stat(id, "Files/wof").reparseData()).isEqualTo(wof);
            assertThat(driver.stat(id, "Files/wof").reparseTag()).isEqualTo(WOF);
            assertThat(content(driver, id, "Files/wof", "")).isEqualTo(bytes("compressed by Windows"));
            assertThat(driver.stat(id, "Files/other").reparseData()).isEqualTo(unknown);
            assertThat(driver.stat(id, "Files/link").info().target()).isEqualTo("..\\x");
            assertThat(driver.stat(id, "Files/junction").info().kind()).isEqualTo(Kind.JUNCTION);
        }
        TarViews.byName(tar).forEach((name, view) -> {
            TarViews.View back = TarViews.at(TarViews.byName(rebuilt), name);
            assertThat(name.contains(":") ? back.content() : back)
                    .isEqualTo(name.contains(":") ? view.content() : view);
        });
        byte[] transport = read(driver.diff("l", "", DiffOptions.DEFAULT.withFormat(ArchiveFormat.TRANSPORT)));
        driver.applyDiff("transported", "", stream(transport));
        // That form has times of whole seconds, no short names and no modes.
        SortedMap<String, TarViews.View> wanted = TarViews.byName(rebuilt);
        TarViews.byName(read(driver.diff("transported", "", REBUILD))).forEach((name, view) -> {
            SortedMap<String, String> records =
                    new TreeMap<>(TarViews.at(wanted, name).records());
            records.remove("WCLAYER.shortname");
            assertThat(view.records()).as(name).isEqualTo(records);
            assertThat(view.content())
                    .as(name)
                    .isEqualTo(TarViews.at(wanted, name).content());
            assertThat(view.link()).as(name).isEqualTo(TarViews.at(wanted, name).link());
        });
    }

    /** C4, C5: a sparse map, and zeros that are none of it. */
    @Test
    void c4SparseMapsAreKept() throws IOException {
        byte[] map = bytes("2\n1048576\n512\n3145728\n0\n");
        byte[] data = Arrays.copyOf(map, 1024);
        Arrays.fill(data, 512, 600, (byte) 's'); // the range ends in zeros
        byte[] tar = tar(
                folder("Files"),
                file("Files/GNUSparseFile.0/sparse", "")
                        .data(data)
                        .record("GNU.sparse.major", "1")
                        .record("GNU.sparse.minor", "0")
                        .record("GNU.sparse.name", "Files/sparse")
                        .record("GNU.sparse.realsize", "3145728"));
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        comesBack(driver, "l", tar);
        assertThat(driver.stat("l", "Files/sparse").sparse()).isTrue();
        assertThat(driver.stat("l", "Files/sparse").info().attributes()).isEqualTo(0x200);
        byte[] expected = new byte[3 << 20];
        Arrays.fill(expected, 1 << 20, (1 << 20) + 88, (byte) 's');
        assertThat(content(driver, "l", "Files/sparse", "")).isEqualTo(expected);
        Path stored = home.resolve("l/Files/sparse");
        assertThat((long) Files.getAttribute(stored, "unix:size")).isEqualTo(3 << 20);
    }

    /** C7: exact to 100 ns (and to the ns that a tar may carry), before 1970 and before 1601 too. */
    @ParameterizedTest
    @CsvSource({
        "1.5, 1970-01-01T00:00:01.500Z",
        "-1.5, 1969-12-31T23:59:58.500Z",
        "-0.0000001, 1969-12-31T23:59:59.999999900Z",
        "0.72, 1970-01-01T00:00:00.720Z",
        "1700000000.123456789, 2023-11-14T22:13:20.123456789Z",
        "-11644473600, 1601-01-01T00:00:00Z",
        "-11644473600.25, 1600-12-31T23:59:59.750Z",
        "900000000000, +30489-11-11T16:00:00Z",
    })
    void c7TimesAreExact(String text, Instant instant) throws IOException {
        byte[] tar = tar(
                folder("Files"),
                file("Files/a", "a")
                        .record("MSWINDOWS.fileattr", "32")
                        .record("mtime", text)
                        .record("atime", text)
                        .record("ctime", text)
                        .record("LIBARCHIVE.creationtime", text));
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        EntryDetails details = driver.stat("l", "Files/a");
        assertThat(List.of(details.creation(), details.access(), details.write(), details.change()))
                .containsOnly(new EntryDetails.Time(instant, true));
        driver.applyDiff("rebuilt", "", stream(read(driver.diff("l", "", REBUILD))));
        assertThat(driver.stat("rebuilt", "Files/a").change().instant()).isEqualTo(instant);
        assertThat(driver.stat("rebuilt", "Files/a").creation().instant()).isEqualTo(instant);
    }

    /** C7: times that are missing read as the write time and stay missing; what is no time is refused. */
    @Test
    void c7MissingAndMalformedTimes() throws IOException {
        byte[] tar = tar(
                folder("Files").record("MSWINDOWS.fileattr", "16"),
                file("Files/a", "a").time(-77).record("MSWINDOWS.fileattr", "32"));
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        EntryDetails details = driver.stat("l", "Files/a");
        EntryDetails.Time missing = new EntryDetails.Time(Instant.ofEpochSecond(-77), false);
        assertThat(List.of(details.creation(), details.access(), details.change()))
                .containsOnly(missing);
        assertThat(details.write()).isEqualTo(new EntryDetails.Time(Instant.ofEpochSecond(-77), true));
        assertThat(TarViews.byName(read(driver.diff("l", "", REBUILD)))).isEqualTo(TarViews.byName(tar));
        for (String bad : List.of("x", "1.x", "1,5", "--1", "1.5.5", "99999999999999999999", "9".repeat(300_000))) {
            for (String key : List.of("mtime", "atime", "ctime", "LIBARCHIVE.creationtime")) {
                assertThatThrownBy(() -> driver.applyDiff(
                                "bad",
                                "",
                                stream(tar(folder("Files"), file("Files/a", "a").record(key, bad)))))
                        .as("%s=%.20s", key, bad)
                        .isInstanceOf(BadArchiveException.class)
                        .hasMessageContaining("time");
            }
        }
        assertThat(driver.exists("bad")).isFalse();
    }

    /** C8: links lead to the first name in order, never along a chain; a parent's file becomes a copy. */
    @Test
    void c8HardLinksLeadToTheFirstName() throws IOException {
        byte[] tar = tar(
                folder("Files"),
                file("Files/m", "one file").record("MSWINDOWS.fileattr", "32"),
                hardLink("Files/z", "Files/m"),
                hardLink("Files/a", "Files/z"),
                hardLink("Files/q", "Files/A"));
        WindowsDriver driver = open();
        ApplyResult applied = driver.applyDiff("l", "", stream(tar));
        assertThat(applied.sizeBytes()).isEqualTo("one file".length());
        comesBack(driver, "l", tar);
        assertThat(TarViews.of(read(driver.diff("l", "", REBUILD))))
                .extracting(TarViews.View::type, TarViews.View::name, TarViews.View::link)
                .containsExactly(
                        tuple('5', "Files", ""),
                        tuple('0', "Files/a", ""),
                        tuple('1', "Files/m", "Files/a"),
                        tuple('1', "Files/q", "Files/a"),
                        tuple('1', "Files/z", "Files/a"));
        byte[] child = tar(folder("Files"), hardLink("Files/copy", "Files/z"), hardLink("Files/again", "Files/copy"));
        ApplyResult linked = driver.applyDiff("child", "l", stream(child));
        comesBack(driver, "child", child);
        assertThat(linked.sizeBytes()).isEqualTo("one file".length());
        assertThat(driver.diffSize("child", "l")).isEqualTo(linked.sizeBytes());
        assertThat(content(driver, "child", "Files/copy", "")).isEqualTo(bytes("one file"));
        assertThat(driver.stat("child", "Files/copy").info().attributes()).isEqualTo(32);
        assertThat(TarViews.at(TarViews.byName(read(driver.diff("child", "l", REBUILD))), "Files/again")
                        .content())
                .isEqualTo(LayerTars.sha256(bytes("one file")));
        for (String bad : List.of("Files/missing", "Files", "../x", "Hives/x", "/Files/m", "Files/b:s")) {
            assertThatThrownBy(() ->
                            driver.applyDiff("bad", "l", stream(tar(folder("Files"), hardLink("Files/b", bad)))))
                    .as(bad)
                    .isInstanceOf(LayerException.class)
                    .hasMessageContaining("Files/b");
        }
    }

    /** C9: sizes around and beyond 8 GiB; only what is no hole is stored and sent. */
    @ParameterizedTest
    @ValueSource(longs = {(8L << 30) - 1, 8L << 30, (8L << 30) + 1, 70L << 30})
    void c9LargeFiles(long size) throws IOException {
        byte[] map = bytes("2\n0\n3\n" + (size - 3) + "\n3\n");
        byte[] data = Arrays.copyOf(map, 512 + 6);
        System.arraycopy(bytes("topend"), 0, data, 512, 6);
        byte[] tar = tar(
                folder("Files"),
                file("Files/large", "")
                        .data(data)
                        .record("GNU.sparse.major", "1")
                        .record("GNU.sparse.minor", "0")
                        .record("GNU.sparse.realsize", Long.toString(size)));
        WindowsDriver driver = open();
        ApplyResult applied = driver.applyDiff("l", "", stream(tar));
        assertThat(applied.sizeBytes()).isEqualTo(size);
        assertThat(driver.diffSize("l", "")).isEqualTo(size);
        assertThat(driver.stat("l", "Files/large").info().sizeBytes()).isEqualTo(size);
        comesBack(driver, "l", tar);
        Path stored = home.resolve("l/Files/large");
        assertThat(Files.size(stored)).isEqualTo(size);
        // Written anew it has no map: the size goes into a record from 8 GiB on.
        try (LayerDiff diff = driver.diff("l", "", REBUILD)) {
            String head = new String(diff.readNBytes(8192), StandardCharsets.ISO_8859_1);
            assertThat(head.contains(" size=" + size + "\n")).isEqualTo(size >= 8L << 30);
            assertThat(head).contains("top\0\0\0");
        }
    }

    /** C9: the size of a record counts, whatever the header says. */
    @Test
    void c9TheRecordsSizeOverridesTheHeaders() throws IOException {
        byte[] tar = tar(
                folder("Files"), file("Files/a", "content").size(0).record("size", "7"), file("Files/b", "after it"));
        WindowsDriver driver = open();
        assertThat(driver.applyDiff("l", "", stream(tar)).sizeBytes()).isEqualTo(15);
        assertThat(content(driver, "l", "Files/a", "")).isEqualTo(bytes("content"));
        assertThat(content(driver, "l", "Files/b", "")).isEqualTo(bytes("after it"));
        comesBack(driver, "l", tar);
    }

    /** C10: names longer than Linux takes, paths as long as Windows takes. */
    @Test
    void c10LongNamesAndPaths() throws IOException {
        String wide = "\u4e2d".repeat(255); // 765 bytes
        StringBuilder deep = new StringBuilder("Files");
        while (deep.length() + 201 < 32_767 - 2) {
            deep.append('/').append("d".repeat(200));
        }
        deep.append('/').append("f".repeat(32_767 - deep.length()));
        RawTars raw = new RawTars().add(folder("Files"));
        raw.add(folder("Files/" + wide)).add(file("Files/" + wide + "/" + wide, "wide"));
        raw.add(file(deep.toString(), "deep"));
        byte[] tar = raw.finish();
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        comesBack(driver, "l", tar);
        assertThat(content(driver, "l", "Files/" + wide + "/" + wide, "")).isEqualTo(bytes("wide"));
        assertThat(content(driver, "l", deep.toString(), "")).isEqualTo(bytes("deep"));
        assertThat(driver.entries("l", "Files/" + wide))
                .extracting(EntryInfo::path)
                .containsExactly("Files/" + wide, "Files/" + wide + "/" + wide);
        byte[] rebuilt = read(driver.diff("l", "", REBUILD));
        driver.applyDiff("rebuilt", "", stream(rebuilt));
        assertThat(content(driver, "rebuilt", deep.toString(), "")).isEqualTo(bytes("deep"));
        assertThat(content(driver, "rebuilt", "Files/" + wide + "/" + wide, "")).isEqualTo(bytes("wide"));
        assertThatThrownBy(() -> driver.applyDiff("bad", "", stream(tar(file(deep + "x", "")))))
                .isInstanceOf(UnsafePathException.class)
                .hasMessageContaining("kMaxPathUnits = 32767");
        assertThatThrownBy(() -> driver.applyDiff("bad", "", stream(tar(file("Files/" + wide + "x", "")))))
                .isInstanceOf(UnsafePathException.class)
                .hasMessageContaining("kMaxNameUnits = 255");
        driver.remove("l");
        driver.remove("rebuilt");
    }

    /** C11: compared as NTFS does, not as Java or Linux. */
    @Test
    void c11CaseIsThatOfNtfs() throws IOException {
        WindowsDriver driver = open();
        // Dotless i and long s are no I and S there, nor is the sharp s two.
        byte[] distinct = tar(
                folder("Files"),
                file("Files/i", "1"),
                file("Files/\u0131", "2"),
                file("Files/s", "3"),
                file("Files/\u017f", "4"),
                file("Files/\u00df", "5"),
                file("Files/ss", "6"));
        driver.applyDiff("distinct", "", stream(distinct));
        comesBack(driver, "distinct", distinct);
        assertThat(driver.entries("distinct", "")).hasSize(7);
        assertThat(content(driver, "distinct", "Files/\u0131", "")).isEqualTo(bytes("2"));
        byte[] same = tar(folder("Files"), file("Files/\u00ff", "small"), file("FILES/\u0178", "capital"));
        ApplyResult applied = driver.applyDiff("same", "", stream(same));
        assertThat(applied.warnings()).hasSize(1).first().asString().contains("more than once");
        comesBack(driver, "same", same);
        assertThat(driver.entries("same", "")).hasSize(2);
        assertThat(content(driver, "same", "Files/\u00ff", "")).isEqualTo(bytes("capital"));
        assertThatThrownBy(() -> driver.applyDiff(
                        "kinds", "", stream(tar(folder("Files"), file("Files/Foo", "f"), folder("Files/fOO")))))
                .isInstanceOf(BadArchiveException.class)
                .hasMessageContaining("Files/fOO")
                .hasMessageContaining("another kind");

        driver.applyDiff("base", "", stream(tar(folder("Files"), folder("Files/dir"), file("Files/dir/foo", "low"))));
        byte[] child = tar(folder("Files"), folder("Files/DIR"), file("Files/DIR/Foo", "high"));
        driver.applyDiff("child", "base", stream(child));
        comesBack(driver, "child", child);
        assertThat(driver.changes("child", "base"))
                .extracting(Change::toString)
                .contains("C Files/DIR/Foo")
                .noneMatch(change -> change.startsWith("A") || change.startsWith("D"));
        assertThat(driver.entries("child", "files/dir/FOO"))
                .extracting(EntryInfo::path)
                .containsExactly("Files/DIR/Foo");
        look(driver, "child", root -> {
            assertThat(tree(root)).hasSize(2);
            assertThat(root.resolve("dir/foo")).hasContent("high");
        });
        assertThat(TarViews.chain(List.of(read(driver.diff("child", ""))))).hasSize(3);
    }

    /** C12: folders merge, of files the last wins with a warning, and every byte comes back. */
    @Test
    void c12Duplicates() throws IOException {
        byte[] tar = tar(
                folder("Files").record("MSWINDOWS.fileattr", "16"),
                file("Files/a", "first"),
                folder("Files").record("MSWINDOWS.fileattr", "18"),
                file("Files/A", "second, which counts"));
        WindowsDriver driver = open();
        ApplyResult applied = driver.applyDiff("l", "", stream(tar));
        assertThat(applied.warnings())
                .containsExactly("'Files/A': the path is in the tar more than once; the last one counts");
        assertThat(applied.sizeBytes()).isEqualTo("second, which counts".length());
        comesBack(driver, "l", tar);
        assertThat(driver.stat("l", "Files").info().attributes()).isEqualTo(18);
        assertThat(content(driver, "l", "Files/a", "")).isEqualTo(bytes("second, which counts"));
    }

    /** C13: whiteouts of nothing, of everything, of what comes again. */
    @Test
    void c13Whiteouts() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff(
                "base",
                "",
                stream(tar(
                        folder("Files"),
                        folder("Files/d"),
                        file("Files/d/a", "a"),
                        file("Files/d/b", "b"),
                        folder("Files/e"),
                        file("Files/e/x", "old"),
                        file("Files/f", "f"))));
        byte[] child = tar(
                folder("Files"),
                file("Files/.wh.never", ""),
                file("Files/no/such/.wh.folder", ""),
                file("Files/d/.wh..wh..opq", ""),
                file("Files/d/b", "new b"),
                file("Files/e/.wh.x", ""),
                file("Files/e/x", "again"),
                file("Files/g", "g"),
                file("Files/.wh.g", ""),
                file("Files/.wh.f", ""));
        driver.applyDiff("child", "base", stream(child));
        comesBack(driver, "child", child);
        assertThat(driver.changes("child", "base"))
                .extracting(Change::toString)
                .contains("D Files/d/a", "C Files/d/b", "C Files/e/x", "D Files/f", "A Files/g")
                .noneMatch(change -> change.endsWith("/never"));
        look(driver, "child", root -> {
            assertThat(tree(root)).contains("d/b", "e/x", "g").doesNotContain("d/a", "f");
            assertThat(root.resolve("e/x")).hasContent("again");
        });
        byte[] rebuilt = read(driver.diff("child", "base", REBUILD));
        assertThat(TarViews.of(rebuilt)).extracting(TarViews.View::name).contains("Files/.wh.never", "Files/.wh.f");
        driver.applyDiff("rebuilt", "base", stream(rebuilt));
        assertThat(driver.changes("rebuilt", "base")).isEqualTo(driver.changes("child", "base"));
        for (String bad : List.of(
                "Files/.wh.", "Files/.wh..", "Files/.wh...", ".wh.Files", "Hives/.wh.x", "UtilityVM/.wh.Files")) {
            assertThatThrownBy(() -> driver.applyDiff("bad", "base", stream(tar(folder("Files"), file(bad, "")))))
                    .as(bad)
                    .isInstanceOf(LayerException.class)
                    .hasMessageContaining("whiteout");
        }
    }

    /** C16: what a tar forgot to list is made, and said. */
    @Test
    void c16MissingParentsAreMade() throws IOException {
        byte[] tar = tar(file("Files/a/b/c.txt", "c"), file("UtilityVM/Files/x", "x"));
        WindowsDriver driver = open();
        ApplyResult applied = driver.applyDiff("l", "", stream(tar));
        comesBack(driver, "l", tar);
        assertThat(applied.warnings()).hasSize(5).allMatch(text -> text.contains("the folder is not in the tar"));
        assertThat(TarViews.of(read(driver.diff("l", "", REBUILD))))
                .extracting(TarViews.View::name)
                .containsExactly(
                        "Files",
                        "Files/a",
                        "Files/a/b",
                        "Files/a/b/c.txt",
                        "UtilityVM",
                        "UtilityVM/Files",
                        "UtilityVM/Files/x");
    }

    /** C15: a broken hive is refused by its name, wherever clients would load it; the store is as before. */
    @Test
    void c15Hives() throws IOException {
        byte[] good = Files.readAllBytes(Path.of("..", "..", "native", "test", "fixtures", "bin", "bcd-minimal.hive"));
        byte[] broken = good.clone();
        broken[508] ^= 1;
        WindowsDriver driver = open();
        for (String hive : List.of("Hives/System_Delta", "UtilityVM/Files/EFI/Microsoft/Boot/BCD")) {
            assertThatThrownBy(() -> driver.applyDiff("l", "", stream(LayerTars.tar(tar -> tar.file(hive, broken)))))
                    .isInstanceOf(BadArchiveException.class)
                    .hasMessageContaining(hive)
                    .hasMessageContaining("checksum of the base block");
            assertThat(driver.exists("l")).isFalse();
            comesBackAs(driver, hive, LayerTars.tar(tar -> tar.file(hive, good)));
        }
    }

    private static void comesBackAs(WindowsDriver driver, String hive, byte[] tar) throws IOException {
        driver.applyDiff("good", "", stream(tar));
        assertThat(read(driver.diff("good", ""))).as(hive).isEqualTo(tar);
        driver.remove("good");
    }

    /** C17: a utility VM's tree is kept as the rest is, and the files that Windows would change stay as they came. */
    @Test
    void c17UtilityVm() throws IOException {
        byte[] bcd = Files.readAllBytes(Path.of("..", "..", "native", "test", "fixtures", "bin", "bcd-minimal.hive"));
        String boot = "UtilityVM/Files/EFI/Microsoft/Boot/BCD";
        byte[] base = LayerTars.tar(tar -> {
            tar.file("Files/a", bytes("a"));
            tar.file(boot, bcd);
            tar.file(boot + ".LOG", bytes("log"));
            tar.file(boot + ".LOG1", bytes("log1"));
            tar.file(boot + ".LOG2", bytes("log2"));
            tar.file("UtilityVM/Files/Windows/x.sys", bytes("driver"));
            tar.hardLink("UtilityVM/Files/Windows/y.sys", "UtilityVM/Files/Windows/x.sys");
            tar.junction("UtilityVM/Files/Documents and Settings", "C:\\Users");
        });
        WindowsDriver driver = open();
        ApplyResult applied = driver.applyDiff("base", "", stream(base));
        comesBack(driver, "base", base);
        assertThat(applied.sizeBytes()).isEqualTo(1 + bcd.length + 3 + 4 + 4 + 6);
        assertThat(content(driver, "base", boot, "")).isEqualTo(bcd);
        byte[] another = Arrays.copyOf(bcd, bcd.length + 4096); // a store that has grown, its new bin not in use yet
        byte[] child = LayerTars.tar(tar -> {
            tar.file(boot, another);
            tar.whiteout("UtilityVM/Files/Windows/y.sys");
            tar.folder("UtilityVM/Files/Documents and Settings");
        });
        driver.applyDiff("child", "base", stream(child));
        comesBack(driver, "child", child);
        comesBack(driver, "base", base);
        assertThat(driver.changes("child", "base"))
                .extracting(Change::toString)
                .containsExactly(
                        "C UtilityVM/Files/Documents and Settings", "C " + boot, "D UtilityVM/Files/Windows/y.sys");
        assertThat(TarViews.at(TarViews.byName(read(driver.diff("child", ""))), boot)
                        .content())
                .isEqualTo(LayerTars.sha256(another));
    }

    /** C20: docker 1.11's records: SDDL for the descriptor (with SIDs of a domain), FILETIMEs beside whole seconds. */
    @Test
    void c20Docker111() throws IOException {
        String sddl = "O:S-1-5-21-1004336348-1177238915-682003330-512G:SYD:PAI(A;OICI;FA;;;BA)"
                + "(A;;0x1200a9;;;S-1-5-21-1004336348-1177238915-682003330-1001)";
        byte[] tar = tar(
                folder("Files"),
                file("Files/a", "a")
                        .record("MSWINDOWS.fileattr", "32")
                        .record("MSWINDOWS.sd", sddl)
                        .record("MSWINDOWS.createtime", "131000000000000001")
                        .record("MSWINDOWS.accesstime", "131000000000000002")
                        .record("MSWINDOWS.writetime", "133444736001234567")
                        .record("MSWINDOWS.changetime", "131000000000000003")
                        .time(1_700_000_000L));
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        comesBack(driver, "l", tar);
        EntryDetails details = driver.stat("l", "Files/a");
        assertThat(details.sddl()).isEqualTo(sddl);
        assertThat(details.creation().instant()).isEqualTo("2016-02-15T08:53:20.000000100Z");
        assertThat(details.access().instant()).isEqualTo("2016-02-15T08:53:20.000000200Z");
        assertThat(details.write().instant()).isEqualTo("2023-11-14T22:13:20.123456700Z");
        assertThat(details.change().instant()).isEqualTo("2016-02-15T08:53:20.000000300Z");
        TarViews.View rebuilt = TarViews.at(TarViews.byName(read(driver.diff("l", "", REBUILD))), "Files/a");
        assertThat(rebuilt.records()).containsOnlyKeys("MSWINDOWS.fileattr", "MSWINDOWS.rawsd");
        assertThat(rebuilt.creation()).isEqualTo(details.creation().instant());
    }

    /** C20: the records that BuildKit and others write, in their forms. */
    @Test
    void c20FormsOfOthers() throws IOException {
        byte[] tar = tar(
                folder("Files/"),
                folder("Files/d/").record("MSWINDOWS.fileattr", "16").record("LIBARCHIVE.creationtime", "1700000000.5"),
                symbolicLink("Files/d/slashes", "../a/b"),
                symbolicLink("Files/d/to-folder", "C:/x").mode(0160000),
                symbolicLink("Files/d/empty-value", "C:\\x").record("MSWINDOWS.mountpoint", ""),
                file("Files/d/both", "b").record("MSWINDOWS.rawsd", DESCRIPTOR).record("MSWINDOWS.sd", "no SDDL"));
        WindowsDriver driver = open();
        driver.applyDiff("l", "", stream(tar));
        comesBack(driver, "l", tar);
        assertThat(driver.stat("l", "Files/d").creation().instant()).isEqualTo("2023-11-14T22:13:20.500Z");
        assertThat(driver.stat("l", "Files/d/slashes").info().target()).isEqualTo("..\\a\\b");
        assertThat(driver.stat("l", "Files/d/slashes").info().attributes()).isEqualTo(0x400);
        assertThat(driver.stat("l", "Files/d/to-folder").info().attributes()).isEqualTo(0x410);
        assertThat(driver.stat("l", "Files/d/empty-value").info().kind()).isEqualTo(Kind.JUNCTION);
        assertThat(base64(driver.stat("l", "Files/d/both").securityDescriptor()))
                .isEqualTo(DESCRIPTOR);
        for (Map.Entry<String, String> bad : Map.of(
                        "MSWINDOWS.fileattr", "0x20",
                        "MSWINDOWS.rawsd", "AQAEgA=",
                        "MSWINDOWS.sd", "O:NOBODY",
                        "MSWINDOWS.xattr.A", "*",
                        "WCLAYER.reparse", "AAAA")
                .entrySet()) {
            assertThatThrownBy(() -> driver.applyDiff(
                            "bad",
                            "",
                            stream(tar(folder("Files"), file("Files/a", "").record(bad.getKey(), bad.getValue())))))
                    .as(bad.getKey())
                    .isInstanceOf(BadArchiveException.class)
                    .hasMessageContaining("Files/a")
                    .hasMessageContaining(bad.getKey());
        }
    }
}
