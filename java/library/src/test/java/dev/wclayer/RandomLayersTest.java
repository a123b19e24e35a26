package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.wclayer.TarViews.View;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.Test;

/** Made-up layers, by way of the programs of others. */
class RandomLayersTest extends DriverTestCase {
    private static final DiffOptions REBUILD = DiffOptions.DEFAULT.withRebuild(true);
    private static final long SEED = 20_251_125L;
    private static final int LAYERS = 200;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none");
    }

    /** C2, C4, C5, C7, C20: what Commons Compress wrote comes back, as it is and written anew. */
    @Test
    void commonsCompressWritesAndReadsTheSameLayers() throws IOException {
        WindowsDriver driver = open();
        for (int round = 0; round < LAYERS; round++) {
            String seed = "seed " + (SEED + round);
            byte[] tar = RandomLayers.alone(new Random(SEED + round));
            ApplyResult applied = driver.applyDiff("l", "", LayerTars.stream(tar));
            assertThat(applied.warnings()).as(seed).isEmpty();
            assertThat(read(driver.diff("l", ""))).as(seed).isEqualTo(tar);
            byte[] rebuilt = read(driver.diff("l", "", REBUILD));
            assertSameEntries(seed, rebuilt, tar);
            if (round % 8 == 0) {
                peersReadTheSame(seed, rebuilt);
            }
            driver.remove("l");
        }
    }

    /** C5: bsdtar's and GNU tar's view of what we wrote. */
    private void peersReadTheSame(String seed, byte[] tar) throws IOException {
        Path file = Files.write(folder.resolve("peer.tar"), tar);
        ByteArrayOutputStream contents = new ByteArrayOutputStream();
        StringBuilder names = new StringBuilder();
        try (TarArchiveInputStream in =
                new TarArchiveInputStream(LayerTars.stream(tar), StandardCharsets.UTF_8.name())) {
            for (TarArchiveEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                String name = entry.getName();
                names.append(name.endsWith("/") ? name.substring(0, name.length() - 1) : name)
                        .append('\n');
                if (entry.isFile()) {
                    in.transferTo(contents);
                }
            }
        }
        for (List<String> peer :
                List.of(List.of("tar", "--warning=no-unknown-keyword", "--quoting-style=literal"), List.of("bsdtar"))) {
            byte[] list = Tools.run(folder, peer.get(0), "--version");
            assertThat(list).isNotEmpty();
            String listed = new String(run(peer, "-tf", file), StandardCharsets.UTF_8);
            assertThat(listed.replace("/\n", "\n")).as("%s, %s", seed, peer).isEqualTo(names.toString());
            assertThat(run(peer, "-xOf", file)).as("%s, %s", seed, peer).isEqualTo(contents.toByteArray());
        }
    }

    private byte[] run(List<String> peer, String option, Path file) {
        return Tools.run(
                folder,
                Map.of(),
                Stream.concat(peer.stream(), Stream.of(option, file.toString())).toList());
    }

    /** C5: random mixtures of Python's tarfile, in its three formats, from one run. */
    @Test
    void pythonsTarsAreReadAndKept() throws IOException {
        Path made = Files.createDirectory(folder.resolve("python"));
        Path script = Files.writeString(folder.resolve("make.py"), PYTHON);
        Tools.run(folder, "python3", script.toString(), made.toString(), Long.toString(SEED), "60");
        othersTars(made, 60);
    }

    /** C5: libarchive's forms of what Commons Compress wrote. */
    @Test
    void bsdtarsTarsAreReadAndKept() throws IOException {
        Path made = Files.createDirectory(folder.resolve("bsdtar"));
        List<String> formats = List.of("pax", "gnutar");
        for (int i = 0; i < 30; i++) {
            byte[] tar = RandomLayers.over(new Random(SEED + i), new TreeMap<>(), true);
            Path from = Files.write(folder.resolve("from.tar"), tar);
            Path to = made.resolve("seed-" + (SEED + i) + ".tar");
            String format = formats.get(i % formats.size());
            Tools.run(folder, "bsdtar", "--format=" + format, "-cf", to.toString(), "@" + from);
        }
        othersTars(made, 30);
    }

    private void othersTars(Path made, int count) throws IOException {
        List<Path> tars;
        try (Stream<Path> list = Files.list(made)) {
            tars = list.sorted().toList();
        }
        assertThat(tars).hasSize(count);
        WindowsDriver driver = open();
        for (Path file : tars) {
            byte[] tar = Files.readAllBytes(file);
            driver.applyDiff("l", "", file);
            assertThat(read(driver.diff("l", ""))).as("%s", file).isEqualTo(tar);
            SortedMap<String, View> rebuilt = TarViews.byName(read(driver.diff("l", "", REBUILD)));
            TarViews.byName(tar).forEach((name, view) -> {
                int colon = name.indexOf(':');
                if (colon >= 0 && TarViews.at(rebuilt, name.substring(0, colon)).type() == '1') {
                    return;
                }
                View back = TarViews.at(rebuilt, name);
                if (view.whiteout() || view.type() == '1') {
                    return; // of the one the name counts alone, the other may have become the file
                }
                if (back.type() == '1') {
                    return;
                }
                assertThat(back.content()).isEqualTo(view.content());
                assertThat(back.link())
                        .as("%s: %s", file, name)
                        .isEqualTo(view.link().replace('/', view.type() == '2' ? '\\' : '/'));
                assertThat(back.write())
                        .as("%s: %s", file, name)
                        .isEqualTo(name.contains(":") ? back.write() : view.write());
                view.records().forEach((key, value) -> {
                    if (key.startsWith("MSWINDOWS.") || key.startsWith("WCLAYER.")) {
                        assertThat(back.records()).as("%s: %s", file, name).containsEntry(key, value);
                    }
                });
            });
            driver.remove("l");
        }
    }

    private static void assertSameEntries(String seed, byte[] rebuilt, byte[] tar) {
        assertThat(TarViews.of(rebuilt)).as(seed).hasSameSizeAs(TarViews.of(tar));
        assertThat(mainNames(rebuilt)).as(seed).isEqualTo(mainNames(tar));
        SortedMap<String, String> wanted = TarViews.describe(TarViews.chain(List.of(tar)));
        SortedMap<String, String> got = TarViews.describe(TarViews.chain(List.of(rebuilt)));
        wanted.forEach((path, line) -> assertThat(got).as(seed).containsEntry(path, line));
    }

    /** Of whiteouts too. A file's streams may go with another of its names. */
    private static Set<String> mainNames(byte[] tar) {
        return TarViews.byName(tar).keySet().stream()
                .filter(name -> !name.contains(":"))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static final String PYTHON = """
            import io, random, sys, tarfile, base64
            to, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
            formats = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]
            for n in range(count):
                r = random.Random(seed + n)
                form = formats[n % 3]
                pax = form == tarfile.PAX_FORMAT
                with tarfile.open(f"{to}/seed-{seed + n}.tar", "w", format=form) as tar:
                    folders, files = ["Files"], []
                    def add(name, kind, data=b"", link=""):
                        t = tarfile.TarInfo(name)
                        t.type, t.size, t.linkname = kind, len(data), link
                        t.mtime = r.choice([0, 1700000000, 2**31 + 7]) + (r.randrange(10**9) / 1e9 if pax else 0)
                        t.mode, t.uid, t.uname = r.randrange(0o1000), r.randrange(70000), "someone"
                        if pax and r.random() < .5:
                            t.pax_headers["MSWINDOWS.fileattr"] = str({tarfile.DIRTYPE: 18, tarfile.SYMTYPE: 1024}.get(kind, 34))
                        if pax and kind == tarfile.REGTYPE and r.random() < .3:
                            t.pax_headers["MSWINDOWS.xattr.EA"] = base64.b64encode(r.randbytes(9)).decode()
                            t.pax_headers["comment"] = "gr\\u00fc\\u00dfe"
                        tar.addfile(t, io.BytesIO(data))
                    add("Files", tarfile.DIRTYPE)
                    for i in range(r.randrange(5, 40)):
                        long = "" if form == tarfile.USTAR_FORMAT else "w" * r.choice([0, 0, 120])
                        name = f"{r.choice(folders)}/n{i}-{r.choice(['a', chr(0xfc), 'B b'])}{long}"
                        if len(name) > 2000: continue
                        if len(name.encode()) > 95 and form == tarfile.USTAR_FORMAT: continue
                        kind = r.randrange(6)
                        if kind == 0:
                            add(name, tarfile.DIRTYPE)
                            folders.append(name)
                        elif kind == 1 and files:
                            add(name, tarfile.LNKTYPE, link=r.choice(files))
                        elif kind == 2:
                            add(name, tarfile.SYMTYPE, link=r.choice(["a/b", "../x", "C:/Users"]))
                        elif kind == 3:
                            add(name.rpartition("/")[0] + "/.wh." + name.rpartition("/")[2], tarfile.REGTYPE)
                        else:
                            add(name, r.choice([tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE]) if kind == 5 else tarfile.REGTYPE,
                                r.randbytes(r.choice([0, 10, 511, 512, 513, 5000])))
                            files.append(name)
            """;
}
