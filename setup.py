"Hands settings.ini to setuptools: name, version, requirements and scripts are written there alone."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

root = Path(__file__).parent
parser = ConfigParser(delimiters=["="])
parser.read_string((root/"settings.ini").read_text(encoding="utf-8"))
cfg = parser["DEFAULT"]

package = cfg["lib_path"]
readme = root/"README.md"
licenses = {"apache2": "Apache-2.0", "mit": "MIT", "bsd3": "BSD-3-Clause"}
statuses = ["", "1 - Planning", "2 - Pre-Alpha", "3 - Alpha", "4 - Beta",
            "5 - Production/Stable", "6 - Mature", "7 - Inactive"]

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else cfg["description"],
    long_description_content_type="text/markdown",
    author=cfg["author"],
    author_email=cfg["author_email"],
    license=licenses[cfg["license"]],
    keywords=cfg["keywords"].split(),
    url=cfg["git_url"],
    classifiers=[
        f"Development Status :: {statuses[cfg.getint('status')]}",
        f"Intended Audience :: {cfg['audience']}",
        f"Natural Language :: {cfg['language']}",
        "Programming Language :: Python :: 3",
        "Typing :: Typed",
    ],
    packages=find_packages(include=[package, f"{package}.*"]),
    package_data={package: ["py.typed", "assets/**"]},
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg["requirements"].split(),
    extras_require={key.removesuffix("_requirements"): cfg[key].split()
                    for key in cfg if key.endswith("_requirements")},
    entry_points={
        "console_scripts": cfg["console_scripts"].split(),
        "nbdev": [f"{cfg['lib_name']}={package}._modidx:d"],
    },
    zip_safe=False,
)
