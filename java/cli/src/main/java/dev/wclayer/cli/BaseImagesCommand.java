package dev.wclayer.cli;

import dev.wclayer.CustomImageInfo;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
        name = "base-images",
        description = "List the base images of this machine, or add a folder to them.",
        customSynopsis = "wclayer base-images [add DIR]")
final class BaseImagesCommand extends LayerCommand {
    @Parameters(
            arity = "0..2",
            paramLabel = "add DIR",
            hideParamSyntax = true,
            description = "Register the folder of a base layer, with Files in it.")
    private List<String> add = new ArrayList<>();

    @Override
    void check(Output output) {
        if (!add.isEmpty() && (add.size() != 2 || !add.get(0).equals("add"))) {
            throw wrongUsage("base-images takes nothing, or: add DIR");
        }
    }

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        if (!add.isEmpty()) {
            Path folder = Path.of(add.get(1)).toAbsolutePath().normalize();
            driver.addBaseImage(folder);
            if (output.wantsJson()) {
                output.json(Json.object("path", folder.toString()));
            }
            return CommandLines.OK;
        }
        List<CustomImageInfo> images = driver.getCustomImageInfos();
        if (output.wantsJson()) {
            output.json(Json.array(images, Json::image));
        } else {
            for (CustomImageInfo image : images) {
                output.line(image.id() + "  " + image.name() + "  " + image.version() + "  " + image.sizeBytes() + "  "
                        + image.path());
            }
        }
        return CommandLines.OK;
    }
}
