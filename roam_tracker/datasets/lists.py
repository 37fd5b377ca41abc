"""Sequences of the benchmarks that publish a list of them, and the frames that count."""

# Sequences of the OTB versions. Two targets in one video count as two sequences: Jogging.1, Jogging.2.
_OTB50 = """
Basketball Biker Bird1 BlurBody BlurCar2 BlurFace BlurOwl Bolt Box Car1 Car4 CarDark CarScale ClifBar Couple
Crowds David Deer Diving DragonBaby Dudek Football Freeman4 Girl Human3 Human4 Human6 Human9 Ironman Jump
Jumping Liquor Matrix MotorRolling Panda RedTeam Shaking Singer2 Skating1 Skating2.1 Skating2.2 Skiing Soccer
Surfer Sylvester Tiger2 Trellis Walking Walking2 Woman"""
_OTB2013 = """
Basketball Bolt Boy Car4 CarDark CarScale Coke Couple Crossing David David2 David3 Deer Dog1 Doll Dudek
FaceOcc1 FaceOcc2 Fish FleetFace Football Football1 Freeman1 Freeman3 Freeman4 Girl Ironman Jogging.1
Jogging.2 Jumping Lemming Liquor Matrix Mhyang MotorRolling MountainBike Shaking Singer1 Singer2 Skating1
Skiing Soccer Subway Suv Sylvester Tiger1 Tiger2 Trellis Walking Walking2 Woman"""
_OTB2015_REST = """
Bird2 BlurCar1 BlurCar3 BlurCar4 Board Bolt2 Boy Car2 Car24 Coke Coupon Crossing Dancer Dancer2 David2 David3
Dog Dog1 Doll FaceOcc1 FaceOcc2 Fish FleetFace Football1 Freeman1 Freeman3 Girl2 Gym Human2 Human5 Human7
Human8 Jogging.1 Jogging.2 KiteSurf Lemming Man Mhyang MountainBike Rubik Singer1 Skater Skater2 Subway Suv
Tiger1 Toy Trans Twinnings Vase"""

# Frames (first, last; counted from 1) of the OTB videos that are annotated in part.
OTB_RANGES = {
    "David": (300, 770),
    "Football1": (1, 74),
    "Freeman3": (1, 460),
    "Freeman4": (1, 283),
    "Diving": (1, 215),
}

# Frames at the start of a video that OTB's own tool leaves out; files of the video have both lengths.
OTB_LATE_STARTS = {"Tiger1": 5}

# Rows without a box in the annotations that OTB and DTB70 publish, by sequence: they are no fault of a copy.
EMPTY_ROWS = {"Board": 1, "Twinnings": 1, "Car6": 19}

# Images of a folder that its annotation may be made for, if it has as many rows: (first, last) as above.
OTB_ANNOTATED = {**OTB_RANGES, "Tiger1": (6, 354)}

# LaSOT's test set (protocol II): four videos of each class.
_LASOT_TEST = """
airplane:1,9,13,15 basketball:1,6,7,11 bear:2,4,6,17 bicycle:2,7,9,18 bird:2,3,15,17 boat:3,4,12,17
book:3,10,11,19 bottle:1,12,14,18 bus:2,5,17,19 car:2,6,9,17 cat:1,3,18,20 cattle:2,7,12,13
chameleon:3,6,11,20 coin:3,6,7,18 crab:3,6,12,18 crocodile:3,4,10,14 cup:1,4,7,17 deer:4,8,10,14
dog:1,7,15,19 drone:2,7,13,15 electricfan:1,10,18,20 elephant:1,12,16,18 flag:2,3,5,9 fox:2,3,5,20
frog:3,4,9,20 gametarget:1,2,7,13 gecko:1,5,16,19 giraffe:2,10,13,15 goldfish:3,7,8,10 gorilla:4,6,9,13
guitar:3,8,10,16 hand:2,3,9,16 hat:1,2,5,18 helmet:5,11,13,19 hippo:1,7,9,20 horse:1,4,12,15
kangaroo:2,5,11,14 kite:4,6,10,15 leopard:1,7,16,20 licenseplate:6,12,13,15 lion:1,5,12,20 lizard:1,3,6,13
microphone:2,6,14,16 monkey:3,4,9,17 motorcycle:1,3,9,18 mouse:1,8,9,17 person:1,5,10,12 pig:2,10,13,18
pool:3,7,12,15 rabbit:10,13,17,19 racing:10,15,16,20 robot:1,5,8,19 rubicCube:1,6,14,19 sepia:6,8,13,16
shark:2,3,5,6 sheep:3,5,7,9 skateboard:3,8,16,19 spider:14,16,18,20 squirrel:8,11,13,19 surfboard:4,5,8,12
swing:10,14,17,20 tank:6,9,14,16 tiger:4,6,12,18 train:1,7,11,20 truck:3,6,7,16 turtle:5,8,9,16
umbrella:2,9,17,19 volleyball:1,13,18,19 yoyo:7,15,17,19 zebra:10,14,16,17"""

OTB50 = frozenset(_OTB50.split())
OTB2013 = frozenset(_OTB2013.split())
OTB2015 = OTB50 | frozenset(_OTB2015_REST.split())
LASOT_TEST = frozenset(
    f"{kind}-{number}"
    for kind, _, numbers in (word.partition(":") for word in _LASOT_TEST.split())
    for number in numbers.split(",")
)
