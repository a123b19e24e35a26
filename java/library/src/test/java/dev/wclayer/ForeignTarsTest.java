package dev.wclayer;

import static dev.wclayer.RawTars.file;
import static dev.wclayer.RawTars.folder;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * C5: whoever wrote the tar, the same bytes come back. Go's are the golden ones (DriverContract) and FixtureTarsTest's,
 * Commons Compress's and Python's RandomLayersTest's.
 */
class ForeignTarsTest extends DriverTestCase {
    private static final int HOLE = 3 << 20;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    private Path tree() throws IOException {
        Path tree = Files.createDirectories(folder.resolve("tree"));
        Path files = Files.createDirectories(tree.resolve("Files/sub/" + "d".repeat(90) + "/" + "e".repeat(90)));
        Files.writeString(files.resolve("long.txt"), "long");
        Path root = tree.resolve("Files");
        Files.writeString(root.resolve("\u00fc \ud83d\ude00.txt"), "name");
        Files.createFile(root.resolve("empty"));
        Files.write(root.resolve("block"), new byte[512]);
        Files.writeString(root.resolve("first"), "linked");
        Files.createLink(root.resolve("second"), root.resolve("first"));
        Files.createSymbolicLink(root.resolve("link"), Path.of("sub/x"));
        try (RandomAccessFile sparse =
                new RandomAccessFile(root.resolve("sparse").toFile(), "rw")) {
            for (int i = 1; i < 7; i++) { // more ranges than an old-GNU header holds
                sparse.seek((long) i * HOLE);
                sparse.write(i);
            }
            sparse.setLength(8L * HOLE);
        }
        return tree;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "tar --format=v7",
                "tar --format=oldgnu",
                "tar --format=gnu",
                "tar --format=gnu -S",
                "tar --format=pax",
                "tar --format=posix -S --sparse-version=0.0",
                "tar --format=posix -S --sparse-version=0.1",
                "tar --format=posix -S --sparse-version=1.0",
                "bsdtar --format=pax",
                "bsdtar --format=gnutar",
                "bsdtar --format=ustar"
            })
    void comesBackByteForByte(String tool) throws IOException {
        Path tar = folder.resolve("made.tar");
        List<String> command = new ArrayList<>(Arrays.asList(tool.split(" ")));
        boolean shortNames = tool.contains("ustar") || tool.contains("v7");
        if (shortNames) { // names that these formats cannot hold
            command.add("--exclude=*dddd*");
            command.add("--exclude=*txt");
        }
        Path tree = tree();
        command.addAll(List.of("-cf", tar.toString(), "-C", tree.toString(), "Files"));
        Tools.run(folder, Map.of(), command);
        WindowsDriver driver = open();
        ApplyResult applied = driver.applyDiff("l", "", tar);
        byte[] bytes = Files.readAllBytes(tar);
        assertThat(applied.diffId()).isEqualTo(LayerTars.sha256(bytes));
        assertThat(read(driver.diff("l", ""))).isEqualTo(bytes);
        EntryDetails sparse = driver.stat("l", "Files/sparse");
        assertThat(sparse.info().sizeBytes()).isEqualTo(8L * HOLE);
        byte[] content = driver.openStream("l", "Files/sparse", "").readAllBytes();
        assertThat(content).isEqualTo(Files.readAllBytes(tree.resolve("Files/sparse")));
        boolean map = tool.contains("-S") || tool.equals("bsdtar --format=pax");
        assertThat(sparse.sparse()).isEqualTo(map);
        assertThat(driver.openStream("l", "Files/second", "").readAllBytes()).isEqualTo(LayerTars.bytes("linked"));
        assertThat(driver.stat("l", "Files/link").info().target()).isEqualTo("sub\\x");
        assertThat(driver.diffSize("l", "")).isEqualTo(applied.sizeBytes());
        assertThat(driver.verify()).isEmpty();
        if (!shortNames) {
            assertThat(driver.openStream("l", "Files/sub/" + "d".repeat(90) + "/" + "e".repeat(90) + "/long.txt", "")
                            .readAllBytes())
                    .isEqualTo(LayerTars.bytes("long"));
            assertThat(driver.stat("l", "Files/\u00fc \ud83d\ude00.txt").info().sizeBytes())
                    .isEqualTo(4);
        }
    }

    /** C14: umoci 0.4.7 pads nothing behind the last file and ends its tars with nothing; data must be whole. */
    @Test
    void anUnpaddedEndIsTakenAndMissingDataIsNot() throws IOException {
        RawTars raw = new RawTars().add(folder("Files")).add(file("Files/a", "ab"));
        byte[] umoci = raw.cutBehind(RawTars.BLOCK - 2);
        assertThat(umoci).hasSize(2 * RawTars.BLOCK + 2);
        WindowsDriver driver = open();
        driver.applyDiff("umoci", "", LayerTars.stream(umoci));
        assertThat(read(driver.diff("umoci", ""))).isEqualTo(umoci);
        assertThat(driver.openStream("umoci", "Files/a", "").readAllBytes()).isEqualTo(LayerTars.bytes("ab"));
        for (int missing = 1; missing <= 2; missing++) {
            byte[] cut = Arrays.copyOf(umoci, umoci.length - missing);
            assertThatThrownBy(() -> driver.applyDiff("cut", "", LayerTars.stream(cut)))
                    .isInstanceOf(BadArchiveException.class)
                    .hasMessageContaining("truncated at byte " + cut.length);
        }
        try (WindowsDriver strict = open(folder.resolve("strict"), Map.of("strict", "true"))) {
            assertThatThrownBy(() -> strict.applyDiff("umoci", "", LayerTars.stream(umoci)))
                    .isInstanceOf(BadArchiveException.class);
            strict.applyDiff("whole", "", LayerTars.stream(raw.finish()));
        }
    }

    /** C5: order, padding, garbage behind the end, odd fields: nothing of it is ours to mend. */
    @Test
    void whatNoReaderLooksAtIsKept() throws IOException {
        RawTars raw = new RawTars()
                .add(file("./Files/z", "z").mode(0777).time(-5))
                .add(folder("Files/"))
                .global(Map.of("comment", "from a repository"))
                .add(folder("./Files/dir/").mode(0700))
                .add(new RawTars.Entry("Files/old", '\0').data("old"))
                .add(new RawTars.Entry("Files/contiguous", '7').data("contiguous"))
                .add(file("Files/z", "z again"));
        byte[] end = raw.finish();
        byte[] tar = Arrays.copyOf(end, end.length + 10 * RawTars.BLOCK + 7);
        Arrays.fill(tar, end.length + 600, tar.length, (byte) 'g');
        Arrays.fill(tar, RawTars.BLOCK + 1, 2 * RawTars.BLOCK, (byte) 'p'); // the padding of the first file
        WindowsDriver driver = open();
        driver.applyDiff("l", "", LayerTars.stream(tar));
        assertThat(read(driver.diff("l", ""))).isEqualTo(tar);
        assertThat(driver.openStream("l", "Files/z", "").readAllBytes()).isEqualTo(LayerTars.bytes("z again"));
        assertThat(driver.entries("l", ""))
                .extracting(EntryInfo::path)
                .containsExactly("Files", "Files/contiguous", "Files/dir", "Files/old", "Files/z");
    }
}
