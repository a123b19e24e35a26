package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.gzip;
import static dev.wclayer.LayerTars.sha256;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.wclayer.compress.WindowsMetadata;
import dev.wclayer.compress.WindowsTarEntries;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.IllegalBlockingModeException;
import java.nio.channels.Pipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What every backend and every way to mount promises. */
abstract class DriverContract extends DriverTestCase {
    private static final byte[] BASE = tar(tar -> {
        tar.file("Files/Windows/a.dll", bytes("the dll"));
        tar.alternateStream("note", bytes("a stream"));
        tar.file("Files/Windows/b.txt", bytes("b"));
        tar.hardLink("Files/Windows/c.txt", "Files/Windows/b.txt");
        tar.junction("Files/Documents and Settings", "C:\\Users");
        tar.symbolicLink("Files/link.txt", "Windows\\b.txt", false);
        tar.folder("Files/Users");
    });
    private static final byte[] CHILD = tar(tar -> {
        tar.file("Files/Windows/b.txt", bytes("changed"));
        tar.file("Files/new/deep/file.txt", bytes("new"));
        tar.whiteout("Files/Windows/a.dll");
    });

    @Test
    void isADriverOfItsName() throws IOException {
        WindowsDriver driver = open();
        assertThat(driver).hasToString("windowsfilter");
        assertThat(driver.home()).isEqualTo(home).isDirectory();
        assertThat(driver.status().get(0)).isEqualTo(new StatusItem("Windows", ""));
        assertThat(driver.status()).extracting(StatusItem::key).contains("Backend", "Layers");
        try (WindowsDriver diff = WindowsDriver.initDiff(folder.resolve("other"), Map.of(), List.of(), List.of())) {
            assertThat(diff).hasToString("windowsdiff");
        }
    }

    @Test
    void unknownOptionsListTheKnownOnes() {
        assertThatThrownBy(() -> open(home, Map.of("speed", "fast")))
                .isInstanceOf(InvalidLayerArgumentException.class)
                .hasMessageContaining("'speed'")
                .hasMessageContaining("size")
                .hasMessageContaining("lockWait");
        assertThatThrownBy(() -> open(home, Map.of("size", "many"))).isInstanceOf(InvalidLayerArgumentException.class);
        assertThatThrownBy(() -> open(home, Map.of("backend", "hyperv")))
                .isInstanceOf(InvalidLayerArgumentException.class);
    }

    @Test
    void appliesAndGivesBackTheSameBytes() throws IOException {
        WindowsDriver driver = open();
        ApplyResult base = driver.applyDiff("base", "", stream(BASE));
        assertThat(base.diffId()).isEqualTo(sha256(BASE));
        assertThat(base.blobDigest()).isEqualTo(sha256(BASE));
        assertThat(base.tarBytes()).isEqualTo(BASE.length);
        assertThat(base.blobBytes()).isEqualTo(BASE.length);
        assertThat(base.sizeBytes()).isEqualTo("the dll".length() + 1);
        assertThat(base.alreadyThere()).isFalse();
        byte[] zipped = gzip(CHILD);
        ApplyResult child = driver.applyDiff("child", "base", stream(zipped));
        assertThat(child.diffId()).isEqualTo(sha256(CHILD));
        assertThat(child.blobDigest()).isEqualTo(sha256(zipped));
        assertThat(child.blobBytes()).isEqualTo(zipped.length);
        for (int again = 0; again < 2; again++) {
            assertThat(read(driver.diff("base", ""))).isEqualTo(BASE);
            assertThat(read(driver.diff("base", null))).isEqualTo(BASE);
            assertThat(read(driver.diff("child", "base"))).isEqualTo(CHILD);
            assertThat(read(driver.diff("child", null))).isEqualTo(CHILD);
        }
        assertThat(driver.diffSize("base", "")).isEqualTo(base.sizeBytes());
        assertThat(driver.diffSize("child", null)).isEqualTo(child.sizeBytes());
        assertThat(driver.verify()).isEmpty();
        assertThat(driver.verify("child")).isEmpty();
        assertThat(driver.lint("base")).isEmpty();
    }

    /** C5: as go-winio and Go write them. */
    @ParameterizedTest
    @ValueSource(strings = {"attributes-and-eas", "base-sparse-links", "basic", "names", "reparse", "streams", "times"})
    void goldenLayersComeBackIdentical(String set) throws IOException {
        Path tar = Path.of("..", "..", "native", "test", "fixtures", "golden-oci", set, "expected.tar");
        WindowsDriver driver = open();
        ApplyResult applied = driver.applyDiff("golden", "", tar);
        byte[] expected = Files.readAllBytes(tar);
        assertThat(applied.diffId()).isEqualTo(sha256(expected));
        assertThat(read(driver.diff("golden", ""))).isEqualTo(expected);
        assertThat(driver.verify()).isEmpty();
    }

    @Test
    void takesArchivesFromEverywhere() throws IOException {
        WindowsDriver driver = open();
        Path file = Files.write(folder.resolve("base.tar"), BASE);
        List<String> digests = new ArrayList<>();
        digests.add(driver.applyDiff("stream", "", stream(BASE)).diffId());
        digests.add(driver.applyDiff("path", "", file).diffId());
        try (InputStream in = Files.newInputStream(file)) {
            digests.add(driver.applyDiff("files", "", in).diffId());
        }
        try (InputStream in = new FileInputStream(file.toFile())) {
            digests.add(driver.applyDiff("fileinputstream", "", in).diffId());
        }
        try (FileChannel channel = FileChannel.open(file)) {
            digests.add(driver.applyDiff("filechannel", "", channel).diffId());
            assertThat(channel.isOpen()).isTrue();
        }
        digests.add(driver.applyDiff("channel", "", Channels.newChannel(stream(BASE)))
                .diffId());
        digests.add(driver.applyDiff("trickle", "", new InputStream() {
                    private final InputStream in = stream(BASE);

                    @Override
                    public int read() throws IOException {
                        return in.read();
                    }

                    @Override
                    public int read(byte[] target, int offset, int length) throws IOException {
                        return in.read(target, offset, Math.min(length, 7));
                    }
                })
                .diffId());
        assertThat(digests).containsOnly(sha256(BASE)).hasSize(7);
        Pipe pipe = Pipe.open();
        try (Pipe.SinkChannel sink = pipe.sink();
                Pipe.SourceChannel source = pipe.source()) {
            source.configureBlocking(false);
            assertThatThrownBy(() -> driver.applyDiff("nonblocking", "", source))
                    .isInstanceOf(IllegalBlockingModeException.class);
            assertThat(sink.isOpen()).isTrue();
        }
        assertThat(driver.exists("nonblocking")).isFalse();
    }

    @Test
    void givesADiffInEveryWay() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        ByteArrayOutputStream heap = new ByteArrayOutputStream();
        try (LayerDiff diff = driver.diff("base", "")) {
            assertThatThrownBy(diff::diffId).isInstanceOf(IllegalStateException.class);
            assertThat(diff.transferTo(heap)).isEqualTo(BASE.length);
            assertThat(diff.read()).isEqualTo(-1);
            assertThat(diff.diffId()).isEqualTo(sha256(BASE));
            assertThat(diff.blobDigest()).isEqualTo(sha256(BASE));
            assertThat(diff.tarBytes()).isEqualTo(BASE.length);
            assertThat(diff.blobBytes()).isEqualTo(BASE.length);
            assertThat(diff.id()).isEqualTo("base");
        }
        assertThat(heap.toByteArray()).isEqualTo(BASE);

        Path file = folder.resolve("out.tar");
        try (LayerDiff diff = driver.diff("base", "")) {
            assertThat(diff.transferTo(file)).isEqualTo(BASE.length);
            assertThat(diff.diffId()).isEqualTo(sha256(BASE));
        }
        assertThat(file).hasBinaryContent(BASE);

        Path half = folder.resolve("half.tar");
        try (LayerDiff diff = driver.diff("base", "")) {
            byte[] begin = diff.readNBytes(700);
            assertThat(begin).isEqualTo(Arrays.copyOf(BASE, 700));
            assertThat(diff.transferTo(half)).isEqualTo(BASE.length - 700);
            assertThat(diff.diffId()).isEqualTo(sha256(BASE));
        }

        ByteArrayOutputStream channel = new ByteArrayOutputStream();
        try (LayerDiff diff = driver.diff("base", "")) {
            diff.transferTo(Channels.newChannel(channel));
        }
        assertThat(channel.toByteArray()).isEqualTo(BASE);

        ByteArrayOutputStream single = new ByteArrayOutputStream();
        try (LayerDiff diff = driver.diff("base", "")) {
            for (int b = diff.read(); b >= 0; b = diff.read()) {
                single.write(b);
            }
        }
        assertThat(single.toByteArray()).isEqualTo(BASE);
    }

    @ParameterizedTest
    @EnumSource(Compression.class)
    void compressesAndReadsBack(Compression compression) throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        byte[] blob;
        try (LayerDiff diff = driver.diff("base", "", DiffOptions.DEFAULT.withCompression(compression))) {
            blob = diff.readAllBytes();
            assertThat(diff.diffId()).isEqualTo(sha256(BASE));
            assertThat(diff.blobDigest()).isEqualTo(sha256(blob));
            assertThat(diff.blobBytes()).isEqualTo(blob.length);
            assertThat(diff.tarBytes()).isEqualTo(BASE.length);
        }
        ApplyResult again = driver.applyDiff("again", "", stream(blob));
        assertThat(again.diffId()).isEqualTo(sha256(BASE));
        assertThat(again.blobDigest()).isEqualTo(sha256(blob));
    }

    @Test
    void rebuildsATarThatSaysTheSame() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        byte[] rebuilt = read(driver.diff("base", "", DiffOptions.DEFAULT.withRebuild(true)));
        assertThat(LayerTars.describe(rebuilt)).containsExactlyInAnyOrderElementsOf(LayerTars.describe(BASE));
        ApplyResult again = driver.applyDiff("again", "", stream(rebuilt));
        assertThat(read(driver.diff("again", "", DiffOptions.DEFAULT.withRebuild(true))))
                .as("a rebuild of a rebuild")
                .isEqualTo(rebuilt);
        assertThat(again.diffId()).isEqualTo(sha256(rebuilt));
    }

    @Test
    void commonsCompressReadsADiff() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        List<String> names = new ArrayList<>();
        try (TarArchiveInputStream entries = WindowsTarEntries.entriesOf(driver.diff("base", ""))) {
            for (var entry = entries.getNextEntry(); entry != null; entry = entries.getNextEntry()) {
                names.add(entry.getName());
                if (entry.getName().equals("Files/Windows/a.dll")) {
                    assertThat(WindowsTarEntries.metadataOf(entry).creation()).isEqualTo(LayerTars.TIME);
                    assertThat(entries.readAllBytes()).isEqualTo(bytes("the dll"));
                }
            }
        }
        assertThat(names).contains("Files/Windows/a.dll", "Files/Windows/a.dll:note");
    }

    @Test
    void listsChangesAgainstParentAncestorAndNothing() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.applyDiff("child", "base", stream(CHILD));
        driver.applyDiff("top", "child", stream(tar(tar -> tar.file("Files/top.txt", bytes("top")))));
        assertThat(driver.changes("child", null))
                .extracting(Change::toString)
                .containsExactly(
                        "D Files/Windows/a.dll",
                        "C Files/Windows/b.txt",
                        "A Files/new",
                        "A Files/new/deep",
                        "A Files/new/deep/file.txt");
        assertThat(driver.changes("child", "base")).isEqualTo(driver.changes("child", null));
        assertThat(driver.changes("top", "base"))
                .extracting(Change::path)
                .contains("Files/top.txt", "Files/new/deep/file.txt", "Files/Windows/b.txt", "Files/Windows/a.dll");
        assertThat(driver.changes("top", "")).isNotEmpty().allMatch(change -> change.kind() == Change.Kind.ADD);
        assertThat(driver.changes("top", "")).extracting(Change::path).doesNotContain("Files/Windows/a.dll");
        assertThatThrownBy(() -> driver.changes("base", "child")).isInstanceOf(InvalidLayerArgumentException.class);
    }

    @Test
    void squashesAChain() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.applyDiff("child", "base", stream(CHILD));
        driver.applyDiff("top", "child", stream(tar(tar -> tar.file("Files/top.txt", bytes("top")))));
        byte[] whole = read(driver.diff("top", ""));
        ApplyResult flat = driver.applyDiff("flat", "", stream(whole));
        assertThat(flat.sizeBytes()).isEqualTo(driver.diffSize("top", ""));
        List<String> expected = new ArrayList<>();
        look(driver, "top", root -> expected.addAll(tree(root)));
        look(driver, "flat", root -> assertThat(tree(root)).isEqualTo(expected));
        byte[] two = read(driver.diff("top", "base"));
        driver.applyDiff("two", "base", stream(two));
        look(driver, "two", root -> assertThat(tree(root)).isEqualTo(expected));
    }

    /** C4, C20. */
    @Test
    void keepsWhatOnlyWindowsKnows() throws IOException {
        byte[] tar = tar(writer -> {
            byte[] content = bytes("content");
            writer.file(
                    "Files/a.txt",
                    content.length,
                    stream(content),
                    WindowsMetadata.ofFile(LayerTars.TIME)
                            .withAttributes(0x27)
                            .withTimes(
                                    LayerTars.TIME.minusSeconds(1),
                                    LayerTars.TIME.minusSeconds(2),
                                    LayerTars.TIME,
                                    LayerTars.TIME.minusSeconds(3))
                            .withExtendedAttributes(Map.of("EA", bytes("value"))));
            writer.alternateStream("first", bytes("1"));
            writer.alternateStream("second", bytes("22"));
            writer.junction("Files/j", "C:\\Users");
        });
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(tar));
        EntryDetails details = driver.stat("base", "Files/A.TXT");
        assertThat(details.info().path()).isEqualTo("Files/a.txt");
        assertThat(details.info().kind()).isEqualTo(EntryInfo.Kind.FILE);
        assertThat(details.info().sizeBytes()).isEqualTo(7);
        assertThat(details.info().attributes()).isEqualTo(0x27);
        assertThat(details.info().writeTime()).isEqualTo(LayerTars.TIME);
        assertThat(details.creation()).isEqualTo(new EntryDetails.Time(LayerTars.TIME.minusSeconds(1), true));
        assertThat(details.access().instant()).isEqualTo(LayerTars.TIME.minusSeconds(2));
        assertThat(details.write().instant()).isEqualTo(LayerTars.TIME);
        assertThat(details.change().instant()).isEqualTo(LayerTars.TIME.minusSeconds(3));
        assertThat(details.sddl()).isEqualTo("O:BAG:SYD:(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1200a9;;;BU)");
        assertThat(details.securityDescriptor())
                .isEqualTo(WindowsMetadata.ofFile(LayerTars.TIME).securityDescriptor());
        assertThat(details.extendedAttributes()).containsOnlyKeys("EA");
        assertThat(details.extendedAttributes().get("EA")).isEqualTo(bytes("value"));
        assertThat(details.streams()).containsExactly(Map.entry("first", 1L), Map.entry("second", 2L));
        assertThat(details.sparse()).isFalse();
        EntryDetails junction = driver.stat("base", "Files/j");
        assertThat(junction.info().kind()).isEqualTo(EntryInfo.Kind.JUNCTION);
        assertThat(junction.info().target()).isEqualTo("C:\\Users");
        assertThat(junction.reparseTag()).isEqualTo(0xA0000003);
        try (InputStream content = driver.openStream("base", "Files/a.txt", "")) {
            assertThat(content.readAllBytes()).isEqualTo(bytes("content"));
        }
        try (InputStream content = driver.openStream("base", "Files/a.txt", "second")) {
            assertThat(content.readAllBytes()).isEqualTo(bytes("22"));
        }
        assertThat(driver.entries("base", ""))
                .extracting(EntryInfo::path)
                .containsExactlyInAnyOrder("Files", "Files/a.txt", "Files/j");
        assertThat(driver.entries("base", "files/A.txt")).hasSize(1);
        assertThatThrownBy(() -> driver.stat("base", "Files/missing"))
                .isInstanceOf(LayerException.class)
                .hasMessageContaining("Files/missing");
        assertThatThrownBy(() -> driver.openStream("base", "Files/a.txt", "third"))
                .isInstanceOf(LayerException.class);
        assertThatThrownBy(() -> driver.entries("base", "Files/missing")).isInstanceOf(LayerException.class);
    }

    /** C1. */
    @Test
    void lintNamesWhatLacks() throws IOException {
        byte[] bare = BareTars.tar(Map.of("Files", "", "Files/a.txt", "a"));
        WindowsDriver driver = open();
        driver.applyDiff("bare", "", stream(bare));
        assertThat(driver.lint("bare")).extracting(LayerProblem::path).contains("Files/a.txt");
        assertThat(driver.lint("bare")).allMatch(problem -> problem.id().equals("bare"));
    }

    @Test
    void fillsWhatCreateMade() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.create("child", "base");
        assertThat(driver.list())
                .extracting(LayerSummary::id, LayerSummary::state, LayerSummary::kind)
                .containsExactly(
                        tuple("base", LayerSummary.State.COMMITTED, LayerSummary.Kind.BASE),
                        tuple("child", LayerSummary.State.CREATED, LayerSummary.Kind.LAYER));
        driver.applyDiff("child", null, stream(CHILD));
        assertThat(driver.list().get(1).state()).isEqualTo(LayerSummary.State.COMMITTED);
        assertThat(driver.list().get(1).parent()).isEqualTo("base");
        assertThat(driver.list().get(1).diffId()).isEqualTo(sha256(CHILD));
        assertThatThrownBy(() -> driver.applyDiff("child", "base", stream(CHILD)))
                .isInstanceOf(LayerExistsException.class);
    }

    /** S8: a lookup, no write. */
    @Test
    void anExpectedDigestThatIsThereIsALookUp() throws IOException {
        WindowsDriver driver = open();
        ApplyResult first = driver.applyDiff("base", "", stream(BASE));
        var before = StoreSnapshot.of(home);
        ApplyResult again = driver.applyDiff(
                "base",
                "",
                new SequenceInputStream(Collections.emptyEnumeration()) {
                    @Override
                    public int read(byte[] target, int offset, int length) {
                        throw new AssertionError("the archive must not be read");
                    }
                },
                ApplyOptions.DEFAULT.withExpectedDiffId(first.diffId()));
        assertThat(again.alreadyThere()).isTrue();
        assertThat(again.diffId()).isEqualTo(first.diffId());
        assertThat(again.sizeBytes()).isEqualTo(first.sizeBytes());
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
        assertThat(driver.applyDiff(
                                "base",
                                "",
                                stream(BASE),
                                ApplyOptions.DEFAULT.withExpectedBlobDigest(first.blobDigest()))
                        .alreadyThere())
                .isTrue();
    }

    @Test
    void aWrongDigestKeepsNothing() throws IOException {
        WindowsDriver driver = open();
        var before = StoreSnapshot.of(home);
        String other = sha256(CHILD);
        assertThatThrownBy(() ->
                        driver.applyDiff("base", "", stream(BASE), ApplyOptions.DEFAULT.withExpectedDiffId(other)))
                .isInstanceOf(DigestMismatchException.class)
                .hasMessageContaining(other)
                .hasMessageContaining(sha256(BASE));
        assertThatThrownBy(() -> driver.applyDiff(
                        "base", "", stream(gzip(BASE)), ApplyOptions.DEFAULT.withExpectedBlobDigest(other)))
                .isInstanceOf(DigestMismatchException.class);
        assertThatThrownBy(() ->
                        driver.applyDiff("base", "", stream(BASE), ApplyOptions.DEFAULT.withExpectedDiffId("md5:00")))
                .isInstanceOf(InvalidLayerArgumentException.class);
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
    }

    @Test
    void mountsAreCounted() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.createReadWrite("box", "base");
        Path first = driver.get("box");
        Path second = driver.get("box");
        assertThat(second).isEqualTo(first);
        assertThat(driver.list())
                .filteredOn(layer -> layer.id().equals("box"))
                .extracting(LayerSummary::state)
                .containsExactly(LayerSummary.State.MOUNTED);
        driver.put("box");
        assertThat(first.resolve("Windows/a.dll")).hasContent("the dll");
        assertThatThrownBy(() -> driver.remove("box"))
                .isInstanceOf(LayerBusyException.class)
                .hasMessageContaining("mounted");
        driver.put("box");
        driver.put("box"); // unmatched: nothing happens
        driver.remove("box");
        assertThat(driver.exists("box")).isFalse();
        try (LayerMount mount = driver.mount("base")) {
            assertThat(mount.path().resolve("Files/Windows/a.dll")).hasContent("the dll");
            assertThat(mount.id()).isEqualTo("base");
        }
    }

    @Test
    void aMountEndsWithItsDriver() throws IOException {
        LayerMount mount;
        try (WindowsDriver driver = open()) {
            driver.applyDiff("base", "", stream(BASE));
            driver.createReadWrite("box", "base");
            mount = driver.mount("box");
            assertThat(mount.path().resolve("Windows/a.dll")).exists();
        }
        mount.close();
        try (WindowsDriver driver = open()) {
            driver.remove("box");
        }
    }

    @Test
    void forceRemovesAMountedLayer() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.createReadWrite("box", "base");
        driver.getDetached("box");
        driver.remove("box", true);
        assertThat(driver.exists("box")).isFalse();
        driver.put("base");
        driver.remove("base", true);
        assertThat(driver.list()).isEmpty();
    }

    @Test
    void aDiffHoldsItsLayer() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        try (LayerDiff diff = driver.diff("base", "")) {
            assertThat(diff.read()).isNotNegative();
            assertThatThrownBy(() -> driver.remove("base")).isInstanceOf(LayerBusyException.class);
        }
        driver.remove("base");
    }

    @Test
    void aDiffOfAMountedLayerLeavesTheMount() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        driver.createReadWrite("box", "base");
        try (LayerMount mount = driver.mount("box")) {
            Files.writeString(mount.path().resolve("new.txt"), "new");
            byte[] diff = read(driver.diff("box", "base"));
            assertThat(LayerTars.describe(diff)).anyMatch(line -> line.startsWith("0 Files/new.txt "));
            assertThat(mount.path().resolve("new.txt")).hasContent("new");
            assertThat(driver.changes("box", null))
                    .extracting(Change::toString)
                    .containsExactly("C Files", "A Files/new.txt");
        }
    }

    @Test
    void writesTransportFolders() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        Path path;
        try (DiffPath transport = driver.diffPath("base")) {
            path = transport.path();
            assertThat(path.resolve("Files/Windows/b.txt")).exists();
            assertThat(path.resolve("Files.$wcidirs$")).exists();
        }
        assertThat(path).doesNotExist();
        Path own = folder.resolve("transport");
        driver.diffPathTo("base", own);
        assertThat(own.resolve("Files/Windows/b.txt")).exists();
        assertThatThrownBy(() -> driver.diffPathTo("base", own)).isInstanceOf(InvalidLayerArgumentException.class);
        byte[] tar = read(driver.diff("base", "", DiffOptions.DEFAULT.withFormat(ArchiveFormat.TRANSPORT)));
        ApplyResult again = driver.applyDiff("again", "", stream(tar));
        assertThat(again.diffId()).isEqualTo(sha256(tar));
        assertThat(driver.stat("again", "Files/Windows/a.dll").sddl())
                .isEqualTo(driver.stat("base", "Files/Windows/a.dll").sddl());
    }

    @Test
    void registersBaseImages() throws IOException {
        WindowsDriver driver = open();
        assertThat(driver.getCustomImageInfos()).isEmpty();
        Path image = folder.resolve("image");
        try (WindowsDriver other = open(folder.resolve("central"), options())) {
            other.applyDiff("image", "", stream(BASE));
            image = Path.of(other.getMetadata("image").get("dir"));
        }
        driver.addBaseImage(image);
        List<CustomImageInfo> images = driver.getCustomImageInfos();
        assertThat(images).hasSize(1);
        assertThat(images.get(0).id()).matches("[0-9a-f]{64}");
        assertThat(driver.getCustomImageInfos()).isEqualTo(images);
        assertThat(driver.exists(images.get(0).id())).isTrue();
        driver.createReadWrite("box", images.get(0).id());
        try (LayerMount mount = driver.mount("box")) {
            assertThat(mount.path().resolve("Windows/a.dll")).hasContent("the dll");
        }
    }

    @Test
    void metadataIsTheFolder() throws IOException {
        WindowsDriver driver = open();
        assertThat(driver.getMetadata("x"))
                .containsExactly(Map.entry("dir", home.resolve("x").toString()));
        assertThat(driver.cleanup()).isEmpty();
    }

    @Test
    void progressIsToldAndDigestsStay() throws IOException {
        WindowsDriver driver = open();
        byte[] large = largeTar();
        AtomicLong calls = new AtomicLong();
        AtomicLong last = new AtomicLong();
        AtomicLong entries = new AtomicLong();
        ProgressListener listener = (bytes, count) -> {
            assertThat(bytes).isGreaterThanOrEqualTo(last.get());
            calls.incrementAndGet();
            last.set(bytes);
            entries.set(count);
        };
        ApplyResult applied = driver.applyDiff("large", "", stream(large), ApplyOptions.DEFAULT.withProgress(listener));
        assertThat(applied.diffId()).isEqualTo(sha256(large));
        assertThat(calls.get()).isGreaterThan(2);
        assertThat(last).hasValue(large.length);
        assertThat(entries.get()).isGreaterThanOrEqualTo(2);
        calls.set(0);
        last.set(0);
        try (LayerDiff diff = driver.diff("large", "", DiffOptions.DEFAULT.withProgress(listener))) {
            diff.transferTo(folder.resolve("large.tar"));
        }
        assertThat(last).hasValue(large.length);
        assertThat(folder.resolve("large.tar")).hasBinaryContent(large);
    }

    @Test
    void aListenerThatThrowsEndsTheCallAndUndoesIt() throws IOException {
        WindowsDriver driver = open();
        var before = StoreSnapshot.of(home);
        assertThatThrownBy(() -> driver.applyDiff(
                        "large", "", stream(largeTar()), ApplyOptions.DEFAULT.withProgress((bytes, entries) -> {
                            throw new ArithmeticException("stop");
                        })))
                .isInstanceOf(ArithmeticException.class);
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
    }

    @Test
    void cancellingUndoes() throws IOException {
        WindowsDriver driver = open();
        var before = StoreSnapshot.of(home);
        CancellationToken token = new CancellationToken();
        ProgressListener cancelSoon = (bytes, entries) -> token.cancel();
        assertThatThrownBy(() -> driver.applyDiff(
                        "large",
                        "",
                        stream(largeTar()),
                        ApplyOptions.DEFAULT.withProgress(cancelSoon).withCancellation(token)))
                .isInstanceOf(OperationCancelledException.class);
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
        assertThatThrownBy(() ->
                        driver.applyDiff("large", "", stream(largeTar()), ApplyOptions.DEFAULT.withCancellation(token)))
                .as("cancelled before it begins")
                .isInstanceOf(OperationCancelledException.class);

        driver.applyDiff("large", "", stream(largeTar()));
        CancellationToken another = new CancellationToken();
        Path file = folder.resolve("cancelled.tar");
        try (LayerDiff diff = driver.diff("large", "", DiffOptions.DEFAULT.withCancellation(another))) {
            assertThat(diff.read()).isNotNegative();
            another.cancel();
            assertThatThrownBy(() -> diff.transferTo(file)).isInstanceOf(OperationCancelledException.class);
        }
        assertThat(file).doesNotExist();
        driver.remove("large");
    }

    @Test
    void interruptingCancels() throws IOException {
        WindowsDriver driver = open();
        var before = StoreSnapshot.of(home);
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> driver.applyDiff("base", "", stream(BASE)))
                    .isInstanceOf(OperationCancelledException.class)
                    .hasMessageContaining("interrupted");
            assertThat(Thread.currentThread().isInterrupted()).isTrue();
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
        assertThat(StoreSnapshot.of(home)).isEqualTo(before);
    }

    @Test
    void closedThingsSaySo() throws IOException {
        WindowsDriver driver = open();
        driver.applyDiff("base", "", stream(BASE));
        LayerDiff diff = driver.diff("base", "");
        LayerDiff another = driver.diff("base", "");
        diff.close();
        diff.close();
        assertThatThrownBy(diff::read).isInstanceOf(IOException.class).hasMessageContaining("closed");
        driver.close();
        driver.close();
        assertThat(read(another)).as("streams outlive their driver").isEqualTo(BASE);
        assertThatThrownBy(() -> driver.exists("base"))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("the driver is closed");
        assertThatThrownBy(() -> driver.applyDiff("x", "", stream(BASE))).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(driver::list).isInstanceOf(IllegalStateException.class);
    }

    /** A few slabs, with noise that does not compress. */
    private static byte[] largeTar() {
        byte[] noise = new byte[5 << 20];
        new Random(4).nextBytes(noise);
        return tar(tar -> tar.file("Files/noise.bin", noise));
    }
}
